/// The parts of a head that are not forwarded, in ascending order; neighbours are merged.
public struct CutList: ~Copyable, Sendable {
  /// A head that would need more cuts is refused: it is made of connection fields scattered on purpose.
  public static let capacity = 32

  private var ranges: InlineArray<32, ByteRange> = .init(repeating: .empty)
  public private(set) var count = 0

  public init() {}

  public subscript(index: Int) -> ByteRange { ranges[index] }

  mutating func append(_ range: ByteRange) throws(WireError) {
    if count > 0, ranges[count &- 1].end == range.start {
      ranges[count &- 1].end = range.end
      return
    }
    guard count < CutList.capacity else { throw .tooManyFields }
    ranges[count] = range
    count &+= 1
  }

  mutating func removeAll() { count = 0 }
}
