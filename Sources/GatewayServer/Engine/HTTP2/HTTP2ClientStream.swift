import EventLoop
import HTTPWire

/// One request of a client and its response, as the connection of an HTTP/1.1 client that sends one request.
final class HTTP2ClientStream: HTTP2Stream {
  /// Who reads and writes here; nil once it has closed.
  private var client: ClientConnection?
  private let method: MethodKind
  /// Whether the request is gRPC's, and whether its client takes trailers.
  let isGRPC: Bool
  let acceptsTrailers: Bool
  private let asksForTunnel: Bool
  private var scanner: ResponseScanner
  /// When what still waits to be taken by the client is given up.
  private(set) var deadline = Int64.max

  init(
    _ id: Int32, on carrier: HTTP2Carrier, head: borrowing HTTP2RequestHead, _ framing: HTTP2Framing, endsStream: Bool
  ) {
    method = head.isHeadMethod ? .head : .other
    isGRPC = head.isGRPC
    acceptsTrailers = head.acceptsTrailers
    asksForTunnel = framing == .tunnel
    // Heads of Postern's own are not the upstream's: they may be longer by what Postern adds.
    var limits = carrier.engine.limits.responseWire
    limits.fieldBytes *= 2
    limits.fieldCount *= 2
    scanner = ResponseScanner(limits: limits)
    super.init(id, on: carrier)
    input.begin(head.bytes, framing, hasEnded: endsStream)
  }

  func attach(_ client: ClientConnection) {
    self.client = client
    note(.readable)
  }

  override func deliver(_ events: Readiness) { client?.ready(events, token: 0) }

  // MARK: From the client

  override var isDeaf: Bool { client == nil || output.isComplete }

  override func receive(into buffer: UnsafeMutableRawBufferPointer) -> Channel.Received {
    // One request is all there is: what follows its answer is the end.
    if !isGone, output.isComplete || asksForTunnel && input.hasEnded && input.count == 0 { return .end }
    return super.receive(into: buffer)
  }

  // MARK: To the client

  override func takeHead(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    guard try scanner.scan(bytes, answering: method) else { return 0 }
    let count = scanner.head.byteCount
    if asksForTunnel, scanner.head.status == 101 {
      output.begin(.untilClose)
      carrier.session.submit(scanner.head, bytes, hasContent: true, opensTunnel: true, on: id)
      return count
    }
    if scanner.head.isInterim {
      carrier.session.submit(scanner.head, bytes, hasContent: false, on: id)
      scanner.reset()
      return count
    }
    // To HTTP/2 any 2xx would open the tunnel that was refused. Source: RFC 8441 §5; RFC 9110 §9.3.6.
    guard !asksForTunnel || scanner.head.status >= 300 else { throw .badStatusLine }
    output.begin(scanner.head.framing)
    carrier.session.submit(scanner.head, bytes, hasContent: !output.isComplete, on: id)
    if output.isComplete { outputCompleted() }
    return count
  }

  override func outputCompleted() { note(.readable) }

  /// Source: RFC 9113 §8.1: nobody wants the rest of the request any more.
  override func endWasSent() { if !input.hasEnded { carrier.reset(self, .noError) } }

  // MARK: Ends

  override func close(abruptly: Bool) {
    client = nil
    guard !isGone else { return }
    forgetInput()
    deadline = engine.deadline(after: engine.waits.idle)
    if abruptly, !output.isComplete { carrier.reset(self, .internalError) } else { endSending() }
  }

  override func ended(_ error: HTTP2ErrorCode) {
    forgetInput()
    note(.hangUp)
  }
}
