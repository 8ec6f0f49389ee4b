extension Span where Element == UInt8 {
  /// `1*DIGIT`, without padding: `010` is eight to some and ten to others.
  ///
  /// - Returns: nil when it is anything else, or has more than 18 digits.
  func contentLength(_ value: ByteRange) -> UInt64? {
    guard (1...18).contains(value.count) else { return nil }
    guard value.count == 1 || self[Int(value.start)] != UInt8(ascii: "0") else { return nil }
    var length: UInt64 = 0
    for position in value.range {
      guard ByteClass.isDigit(self[position]) else { return nil }
      length = length &* 10 &+ UInt64(self[position] &- 0x30)
    }
    return length
  }
}
