import EventLoop
import HTTPWire
import ReverseProxy

/// One request to an upstream server and its response, as an HTTP/1.1 connection that is used once.
final class HTTP2UpstreamStream: HTTP2Stream {
  private let connection: HTTP2UpstreamConnection
  /// Who reads and writes here; nil once it has closed.
  private var upstream: UpstreamConnection?
  private var scanner: RequestScanner
  private var hasScanned = false
  private(set) var answersHead = false
  /// What the request asks for, if that is a WebSocket.
  private(set) var tunnel: Tunnel?
  private var isRefused = false
  /// Why no more comes, once the stream is gone without a whole response.
  private var failure: GatewayError?
  /// Whether the server says that it has not looked at the request. Source: RFC 9113 §8.7.
  private var isUnprocessed = false

  init(on connection: HTTP2UpstreamConnection) {
    self.connection = connection
    // Heads that Postern has composed: those of clients, and what Postern adds.
    var limits = connection.engine.limits.wire
    limits.startLineBytes *= 2
    limits.fieldBytes *= 2
    limits.fieldCount *= 2
    scanner = RequestScanner(limits: limits)
    super.init(0, on: connection)
  }

  /// Whether requests may be written at once.
  var isReady: Bool { connection.isOpen }

  /// Whether the connection was used before, so that its server may have closed it in the very moment.
  var followsOthers: Bool { connection.streamCount > 1 }

  func attach(_ upstream: UpstreamConnection) { self.upstream = upstream }

  override func deliver(_ events: Readiness) {
    guard let upstream else { return }
    if let failure { return upstream.fail(failure, isUnprocessed: isUnprocessed) }
    upstream.ready(events, token: 0)
  }

  // MARK: To the server

  override func takeHead(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    if !hasScanned {
      guard try scanner.scan(bytes) else { return 0 }
      hasScanned = true
      answersHead = scanner.head.methodKind == .head
      tunnel = Tunnel(scanner.head, bytes)
    }
    if tunnel != nil, !mayOpenTunnel() { return 0 }
    output.begin(tunnel == nil ? scanner.head.framing : .untilClose)
    guard connection.begin(self, scanner.head, bytes, hasContent: !output.isComplete) else { throw .badRequestLine }
    return scanner.head.byteCount
  }

  /// Only to a server that takes it, which its settings say. Source: RFC 8441 §3.
  private func mayOpenTunnel() -> Bool {
    guard connection.hasSettings else { return false }
    if connection.session.peerTakesTunnels { return true }
    isRefused = true
    fail(.upgradeFailed)
    return false
  }

  override var awaitsPeer: Bool { tunnel != nil && (isRefused || !connection.hasSettings) }

  /// What the connection may be used for is known.
  func settingsCame() { note(.writable) }

  override func transmit(_ bytes: UnsafeRawBufferPointer) -> Int? {
    // An answer that is complete came before the request was: it counts, and the rest is nobody's.
    if isGone, input.hasEnded { return bytes.count }
    return super.transmit(bytes)
  }

  // MARK: From the server

  override var isDeaf: Bool { upstream == nil }

  func takeHead(_ head: borrowing HTTP2ResponseHead, _ framing: HTTP2Framing, endsStream: Bool) {
    if head.isInterim {
      input.append(interim: head.bytes)
    } else {
      input.begin(head.bytes, framing, hasEnded: endsStream)
    }
    note(.readable)
  }

  override func receive(into buffer: UnsafeMutableRawBufferPointer) -> Channel.Received {
    guard input.count == 0 else {
      let (count, acknowledged) = input.read(into: buffer)
      carrier.acknowledge(acknowledged, on: id)
      return .bytes(count)
    }
    guard !input.hasEnded else { return .end }
    return isGone ? .failed : .nothingYet
  }

  // MARK: Ends

  override func ended(_ error: HTTP2ErrorCode) {
    guard !input.hasEnded else { return note(.readable) }
    switch error {
    case .refusedStream:
      isUnprocessed = true
      fail(.connectionTerminated)
    case .protocolError: fail(.responseMalformed)
    default: fail(.connectionTerminated)
    }
  }

  /// Why the connection did not come to stand, or is gone.
  func fail(_ error: GatewayError) {
    if failure == nil { failure = error }
    note(.hangUp)
  }

  override func close(abruptly: Bool) {
    upstream = nil
    connection.release(self)
    guard !isGone, id != 0 else { return }
    forgetInput()
    guard !(input.hasEnded && output.isComplete) else { return }
    carrier.reset(self, input.hasEnded ? .noError : .cancel)
  }
}
