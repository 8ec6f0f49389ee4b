import EventLoop
import HTTPWire

/// The content of an HTTP/1.1 message on its way into a stream of HTTP/2: taken out of its framing, and kept until the
/// peer's windows are open.
struct StreamOutput: ~Copyable {
  /// Content that waits for the peer's windows; more waits with the one who writes it.
  static let bytesMax = 64 << 10

  private var content: ByteQueue
  private var body = BodyReader()
  private var trailers: [UInt8] = []
  /// The head went out, and nothing but content and trailers follows.
  private(set) var hasBegun = false
  /// The whole message was written.
  private(set) var isComplete = false
  private var awaitsRoom = false

  init(pool: BufferPool) { content = ByteQueue(pool: pool) }

  var count: Int { content.count }
  var hasRoom: Bool { content.count < StreamOutput.bytesMax }

  mutating func begin(_ framing: BodyFraming) {
    hasBegun = true
    body = BodyReader(framing)
    isComplete = body.isComplete
  }

  /// Takes the next piece of the body.
  ///
  /// - Returns: how many bytes are done with; 0: trailers have to come as a whole.
  mutating func take(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    let piece = bytes.extracting(first: min(bytes.count, StreamOutput.bytesMax))
    let step = try body.advance(piece)
    content.append(piece.extracting(step.content))
    isComplete = body.isComplete
    if isComplete, body.trailerByteCount > 2 {
      let lines = piece.extracting(step.wireCount - body.trailerByteCount..<step.wireCount - 2)
      trailers = lines.withUnsafeBufferPointer { Array($0) }
    }
    return step.wireCount
  }

  /// The writer ended its side.
  ///
  /// - Returns: false when that does not end the message.
  mutating func end() -> Bool {
    if hasBegun, body.endsWithConnection { isComplete = true }
    return isComplete
  }

  /// The writer was not rid of everything: `fill` says when there is room again.
  mutating func awaitRoom() { awaitsRoom = true }

  /// Gives content as the peer's windows allow.
  ///
  /// - Returns: what libnghttp2 is told, and whether the writer waits for the room that came to be.
  mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) -> (HTTP2Content, isAwaited: Bool) {
    let count = min(buffer.count, content.count)
    if count > 0 {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: content.readable[..<count]))
      content.consume(count)
    }
    let isAwaited = awaitsRoom && content.count <= StreamOutput.bytesMax / 2
    if isAwaited { awaitsRoom = false }
    guard content.isEmpty, isComplete else { return (count > 0 ? .bytes(count, isLast: false) : .none, isAwaited) }
    return (trailers.isEmpty ? .bytes(count, isLast: true) : .bytesBeforeTrailers(count, lines: trailers), isAwaited)
  }

  mutating func clear() { content.clear() }
}
