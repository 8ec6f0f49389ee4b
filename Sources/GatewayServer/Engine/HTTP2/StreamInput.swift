import EventLoop
import HTTPWire

/// What one side of an HTTP/2 stream sends, as the bytes of an HTTP/1.1 message that wait to be read.
struct StreamInput: ~Copyable {
  private var framing = HTTP2Framing.none
  private var queue: ByteQueue
  /// Content of the declared length that is still to come.
  private var left: UInt64 = 0
  /// The head of the message, not of an interim one, has come.
  private(set) var hasBegun = false
  /// The message is complete.
  private(set) var hasEnded = false
  /// Received content that was not acknowledged yet.
  private(set) var owed = 0

  init(pool: BufferPool) { queue = ByteQueue(pool: pool) }

  var count: Int { queue.count }

  /// An interim response comes before the message.
  mutating func append(interim head: [UInt8]) { queue.append(head) }

  /// - Parameters:
  ///   - head: as HTTP/1.1 writes it.
  ///   - hasEnded: nothing follows it.
  mutating func begin(_ head: [UInt8], _ framing: HTTP2Framing, hasEnded: Bool) {
    hasBegun = true
    self.framing = framing
    self.hasEnded = hasEnded
    if case .length(let length) = framing { left = length }
    queue.append(head)
  }

  /// Content came.
  ///
  /// - Throws: it is more than was declared. Source: RFC 9113 §8.1.1.
  mutating func take(_ bytes: Span<UInt8>) throws(HTTP2ErrorCode) {
    owed &+= bytes.count
    guard bytes.count > 0 else { return }
    switch framing {
    case .none: throw .protocolError
    case .tunnel: queue.append(bytes)
    case .length:
      guard UInt64(bytes.count) <= left else { throw .protocolError }
      left -= UInt64(bytes.count)
      queue.append(bytes)
    case .chunked:
      queue.append(hexadecimal: bytes.count)
      queue.append("\r\n")
      queue.append(bytes)
      queue.append("\r\n")
    }
  }

  /// Nothing more comes.
  ///
  /// - Parameter trailers: left out where HTTP/1.1 has no place for them: behind content of a declared length, or none.
  mutating func end(trailers: [UInt8]) throws(HTTP2ErrorCode) {
    guard !hasEnded else { return }
    hasEnded = true
    guard left == 0 else { throw .protocolError }
    guard framing == .chunked else { return }
    queue.append("0\r\n")
    queue.append(trailers)
    queue.append("\r\n")
  }

  /// Gives what waits.
  ///
  /// - Returns: how many bytes, and how much content is thereby acknowledged.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, acknowledged: Int) {
    let count = min(buffer.count, queue.count)
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: queue.readable[..<count]))
    queue.consume(count)
    return (count, settle(queue.isEmpty ? owed : min(owed, count)))
  }

  /// - Returns: all that is owed.
  mutating func settleAll() -> Int { settle(owed) }

  private mutating func settle(_ count: Int) -> Int {
    owed &-= count
    return count
  }

  mutating func clear() { queue.clear() }
}

extension ByteQueue {
  fileprivate mutating func append(hexadecimal number: Int) {
    var digits: InlineArray<16, UInt8> = .init(repeating: 0)
    var start = 16
    var rest = number
    repeat {
      start &-= 1
      let digit = UInt8(truncatingIfNeeded: rest & 0xf)
      digits[start] = digit < 10 ? digit &+ 0x30 : digit &+ 0x57
      rest >>= 4
    } while rest > 0
    append(digits.span.extracting(start..<16))
  }
}
