import EventLoop
import HTTPWire
import ReverseProxy

/// One question to one server, on a connection of its own that carries no request of a caller and no credential.
///
/// Over TLS to an `https` server, verified as requests are. Ends with exactly one verdict.
final class HealthProbe: ReadinessHandler {
  private let loop: EventLoop
  private let rule: HealthCheck
  private let scratch: Scratch
  private var channel: Channel
  private var scanner: ResponseScanner
  private var isConnecting: Bool
  private var timer: TimerToken?
  private var verdict: ((_ isGood: Bool) -> Void)?

  /// - Parameters:
  ///   - tls: nil: clear text.
  ///   - scratch: where receptions land; used within a turn only.
  ///   - verdict: called once, in a later turn.
  init?(
    to key: ServerKey, rule: HealthCheck, tls: TLSClientContext?, on loop: EventLoop, pool: BufferPool, limits: WireLimits,
    scratch: Scratch, verdict: @escaping (_ isGood: Bool) -> Void
  ) {
    guard let (descriptor, isConnected) = try? Socket.connect(to: key.address) else { return nil }
    let session = key.origin.scheme == .https
      ? try? tls?.session(on: descriptor, to: key.origin.host, resuming: TLSSessionCache()) : nil
    self.loop = loop
    self.rule = rule
    self.scratch = scratch
    self.verdict = verdict
    isConnecting = !isConnected || session != nil
    scanner = ResponseScanner(limits: limits)
    channel = Channel(descriptor: descriptor, isWritable: isConnected, tls: session, pool: pool)
    super.init()
    guard key.origin.scheme == .http || session != nil, (try? channel.register(on: loop, handler: self)) != nil else {
      channel.close(on: loop)
      return nil
    }
    timer = loop.schedule(after: rule.timeout) { [self] in end(false) }
    let request = "GET \(rule.path) HTTP/1.1\r\nHost: \(key.origin.authority)\r\nUser-Agent: \(HealthProbe.userAgent)\r\n"
      + "Accept: */*\r\nConnection: close\r\n\r\n"
    _ = Array(request.utf8).withUnsafeBytes { channel.send($0) }
  }

  /// By which servers tell health checks from requests in their logs.
  static let userAgent = "postern-health"

  /// Breaks off without a verdict.
  func cancel() {
    verdict = nil
    close()
  }

  override func ready(_ readiness: Readiness, token: UInt32) {
    if isConnecting {
      switch channel.finishConnecting(readiness) {
      case .done: isConnecting = false
      case .pending: return
      case .refused, .failed: return end(false)
      }
    }
    _ = channel.note(readiness)
    if !readiness.isDisjoint(with: [.hangUp, .error]) { channel.isReadable = true }
    guard channel.flush() else { return end(false) }
    receive()
  }

  /// Reads up to the end of the head; the rest of the answer does not matter.
  private func receive() {
    while channel.isReadable, verdict != nil {
      switch channel.receive(into: scratch.buffer) {
      case .bytes(let count):
        channel.inbound.append(UnsafeRawBufferPointer(rebasing: scratch.buffer[..<count]))
        scan()
      case .nothingYet: return
      case .end, .failed: return end(false)
      }
    }
  }

  private func scan() {
    do throws(WireError) {
      while try scanner.scan(channel.inbound.readable.octets.span, answering: .get) {
        guard scanner.head.isInterim else { return end(rule.isGood(scanner.head.status)) }
        channel.inbound.consume(scanner.head.byteCount)
        scanner.reset()
      }
    } catch {
      end(false)
    }
  }

  private func end(_ isGood: Bool) {
    guard let verdict else { return }
    self.verdict = nil
    close()
    verdict(isGood)
  }

  private func close() {
    guard !channel.isClosed else { return }
    if let timer { loop.cancel(timer) }
    timer = nil
    channel.close(on: loop)
  }

  /// Where the receptions of probes of one loop land.
  final class Scratch {
    /// Enough for a head with its first body bytes.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 64)

    deinit { buffer.deallocate() }
  }
}
