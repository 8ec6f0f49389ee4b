import EventLoop
import HTTPWire
import ReverseProxy

/// One question to one server, on a connection of its own that carries no request of a caller and no credential.
///
/// Over TLS to an `https` server, verified as requests are, and in the protocol of requests. Ends with exactly one verdict.
final class HealthProbe: ReadinessHandler {
  private let loop: EventLoop
  private let rule: HealthCheck
  private let scratch: Scratch
  private var channel: Channel
  private var scanner: ResponseScanner
  private var isConnecting: Bool
  private let key: ServerKey
  private let applicationProtocol: Upstream.ApplicationProtocol
  /// Where the question is asked in HTTP/2.
  private var http2: HTTP2Question?
  private var timer: TimerToken?
  private var verdict: ((_ isGood: Bool) -> Void)?

  /// - Parameters:
  ///   - tls: nil: clear text.
  ///   - scratch: where receptions land; used within a turn only.
  ///   - verdict: called once, in a later turn.
  init?(
    to key: ServerKey, rule: HealthCheck, tls: TLSClientContext?, speaking applicationProtocol: Upstream.ApplicationProtocol,
    on loop: EventLoop, pool: BufferPool, limits: WireLimits, scratch: Scratch, verdict: @escaping (_ isGood: Bool) -> Void
  ) {
    guard let (descriptor, isConnected) = try? Socket.connect(to: key.address) else { return nil }
    let session = key.origin.scheme == .https
      ? try? tls?.session(
        on: descriptor, to: key.origin.host, offering: applicationProtocol.offered, resuming: TLSSessionCache()) : nil
    self.key = key
    self.applicationProtocol = applicationProtocol
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
    if !isConnecting { _ = ask() }
  }

  /// Sends the question, once it is known how the server speaks.
  ///
  /// - Returns: false when it does not speak as it should.
  private func ask() -> Bool {
    let request = "GET \(rule.path) HTTP/1.1\r\nHost: \(key.origin.authority)\r\nUser-Agent: \(HealthProbe.userAgent)\r\n"
      + "Accept: */*\r\n"
    let hasChosenHTTP2 = channel.tls?.applicationProtocol == .http2
    switch applicationProtocol {
    case .http2 where channel.tls != nil && !hasChosenHTTP2: return false
    case .negotiated where hasChosenHTTP2, .http2:
      http2 = HTTP2Question(request, to: key.origin.scheme, limits: scanner.limits)
      return sendOfHTTP2()
    case .http1, .negotiated: return Array((request + "Connection: close\r\n\r\n").utf8).withUnsafeBytes { channel.send($0) }
    }
  }

  /// - Returns: false when the connection is broken.
  private func sendOfHTTP2() -> Bool {
    while let bytes = http2?.session.nextOutput() { guard channel.send(bytes) else { return false } }
    return true
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
      _ = channel.note(readiness)
      guard ask() else { return end(false) }
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
    if let http2 { return take(from: http2) }
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

  private func take(from http2: HTTP2Question) {
    let isSound = http2.session.receive(channel.inbound.readable)
    channel.inbound.clear()
    guard isSound, sendOfHTTP2() else { return end(false) }
    switch http2.answer {
    case .none: break
    case .status(let status):
      // Source: RFC 9113 §6.8: said before the connection is closed.
      http2.session.end(.noError)
      _ = sendOfHTTP2()
      end(rule.isGood(status))
    case .failed: end(false)
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
