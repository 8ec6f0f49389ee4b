/// A stretch of received bytes, counted from the first byte of the message.
public struct ByteRange: Sendable, Hashable {
  public var start: Int32
  public var end: Int32

  public init(_ start: Int, _ end: Int) {
    self.start = Int32(truncatingIfNeeded: start)
    self.end = Int32(truncatingIfNeeded: end)
  }

  public static let empty = ByteRange(0, 0)

  public var count: Int { Int(end &- start) }
  public var isEmpty: Bool { start == end }
  public var range: Range<Int> { Int(start)..<Int(end) }
}

extension Span where Element == UInt8 {
  /// The bytes of a range, as text; for what leaves the hot path.
  public func text(_ range: ByteRange) -> String {
    let part = extracting(range.range)
    return part.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}
