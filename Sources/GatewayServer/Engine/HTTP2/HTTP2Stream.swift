import EventLoop
import HTTPWire

/// A stream of an HTTP/2 connection as the transport of a connection of HTTP/1.1: what the peer sent is read here as
/// HTTP/1.1, and what is written here as HTTP/1.1 is what the peer gets. One message each way.
///
/// Subclasses know which way the request goes.
class HTTP2Stream: CarriedStream {
  let engine: Engine
  /// 0 while it has none yet.
  final var id: Int32
  /// Which lets go of its streams as they close, and of all when it closes itself.
  final let carrier: HTTP2Carrier
  /// The wire knows the stream no more.
  final private(set) var isGone = false
  /// What the reader and writer is to be told.
  final private var events: Readiness = []
  final fileprivate(set) var isDue = false
  final var input: StreamInput
  final var output: StreamOutput

  init(_ id: Int32, on carrier: HTTP2Carrier) {
    self.id = id
    self.carrier = carrier
    engine = carrier.engine
    input = StreamInput(pool: carrier.engine.pool)
    output = StreamOutput(pool: carrier.engine.pool)
  }

  final var waitingBytes: Int { input.count + output.count }

  /// Lets the reader and writer be told, once nobody is in the middle of something.
  final func note(_ event: Readiness) {
    events.formUnion(event)
    guard !isDue else { return }
    isDue = true
    carrier.isDue(self)
  }

  final func deliver() {
    let events = events
    self.events = []
    isDue = false
    deliver(events)
  }

  /// Tells the reader and writer what happened since the last time.
  func deliver(_ events: Readiness) {}

  // MARK: From the peer

  /// Whether nobody reads what still comes.
  var isDeaf: Bool { false }

  final func take(_ bytes: Span<UInt8>) throws(HTTP2ErrorCode) {
    guard !isDeaf else { return carrier.acknowledge(bytes.count, on: id) }
    try input.take(bytes)
    note(.readable)
  }

  final func endInput(trailers: [UInt8]) throws(HTTP2ErrorCode) {
    try input.end(trailers: trailers)
    note(.readable)
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Channel.Received {
    guard !isGone else { return .failed }
    guard input.count > 0 else { return .nothingYet }
    let (count, acknowledged) = input.read(into: buffer)
    carrier.acknowledge(acknowledged, on: id)
    return .bytes(count)
  }

  // MARK: To the peer

  /// Whether the head has to wait for a word of the peer, who is told `writable` when it has come.
  var awaitsPeer: Bool { false }

  func transmit(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard !isGone else { return nil }
    let octets = bytes.octets.span
    var used = 0
    do throws(WireError) {
      while used < octets.count, output.hasRoom {
        guard !output.isComplete else { throw .badChunk }
        let rest = octets.extracting(droppingFirst: used)
        let taken = output.hasBegun ? try takeContent(rest) : try takeHead(rest)
        if taken == 0 { break }
        used += taken
      }
      // Heads and trailers are written as a whole: half of one will never go on.
      guard used == octets.count || output.count > 0 || awaitsPeer else { throw .badTrailers }
    } catch {
      carrier.reset(self, .internalError)
      return nil
    }
    if used < octets.count { output.awaitRoom() }
    carrier.mustFlush()
    return used
  }

  /// Sends the head at the start of `bytes`, and begins the output if it is a final one.
  ///
  /// - Returns: its bytes; 0 when it is not complete.
  func takeHead(_ bytes: Span<UInt8>) throws(WireError) -> Int { 0 }

  private final func takeContent(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    let taken = try output.take(bytes)
    carrier.resume(id)
    if output.isComplete { outputCompleted() }
    return taken
  }

  func outputCompleted() {}

  final func fill(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Content {
    let (content, isAwaited) = output.fill(buffer)
    if isAwaited { note(.writable) }
    return content
  }

  /// Our side is out as a whole.
  func endWasSent() {}

  final func endSending() {
    guard !isGone, !output.isComplete else { return }
    guard output.end() else { return carrier.reset(self, .internalError) }
    carrier.resume(id)
    carrier.mustFlush()
    outputCompleted()
  }

  // MARK: Ends

  /// The reader and writer is done with it.
  func close(abruptly: Bool) {}

  /// Nobody reads any more: what was received counts no longer against the windows of the connection.
  final func forgetInput() {
    input.clear()
    carrier.acknowledge(input.settleAll(), on: id)
  }

  /// The stream is closed on the wire.
  final func wentAway(_ error: HTTP2ErrorCode) {
    isGone = true
    // What waits may still be read, but there is no stream any more whose window it could open.
    carrier.acknowledge(input.settleAll(), on: id)
    output.clear()
    ended(error)
  }

  func ended(_ error: HTTP2ErrorCode) {}
}
