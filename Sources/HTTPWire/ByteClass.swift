/// Character classes of HTTP, as functions of one byte.
enum ByteClass {
  // Bit n of word n/64 tells whether byte n is a tchar. Source: RFC 9110 §5.6.2.
  private static let tokenLow: UInt64 = 0x03ff_6cfa_0000_0000
  private static let tokenHigh: UInt64 = 0x57ff_ffff_c7ff_fffe

  /// `tchar`: what field names and methods are made of.
  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool {
    let word = byte < 64 ? tokenLow : byte < 128 ? tokenHigh : 0
    return word >> UInt64(byte & 63) & 1 != 0
  }

  /// What a field value holds: visible bytes, space, tab and obs-text. Source: RFC 9110 §5.5.
  @inline(__always)
  static func isFieldValue(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7f || byte == 0x09 }

  @inline(__always)
  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  /// The value of a hexadecimal digit, or nil.
  @inline(__always)
  static func hexValue(_ byte: UInt8) -> UInt8? {
    let digit = byte &- 0x30
    if digit < 10 { return digit }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? letter + 10 : nil
  }

  /// Folds a token byte: lower case, and `_` as `-`, because gateways behind us (CGI, WSGI) cannot tell those apart.
  @inline(__always)
  static func folded(_ byte: UInt8) -> UInt8 { byte == 0x5f ? 0x2d : byte | 0x20 }
}

extension Span where Element == UInt8 {
  /// The first position from `start` on that a field value may not hold (most often the CR that ends the line), or `count`.
  @inline(__always)
  func endOfFieldValue(from start: Int) -> Int {
    var position = start
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    while position &+ 8 <= count {
      let word = bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
      // Eight bytes at once: the lowest high bit set marks the first byte below 0x20 or equal to 0x7f.
      let below = (word &- ones &* 0x20) & ~word & highs
      let deleted = word ^ (ones &* 0x7f)
      let stops = below | ((deleted &- ones) & ~deleted & highs)
      if stops == 0 {
        position &+= 8
        continue
      }
      position &+= stops.trailingZeroBitCount >> 3
      guard self[position] == 0x09 else { return position }
      position &+= 1
    }
    while position < count, ByteClass.isFieldValue(self[position]) { position &+= 1 }
    return position
  }

  /// Whether the bytes are `name`, which is written in lower case, with ASCII case and `_` folded.
  @inline(__always)
  func foldedEquals(_ name: StaticString, at start: Int) -> Bool {
    let length = name.utf8CodeUnitCount
    guard start &+ length <= count else { return false }
    var index = 0
    while index < length {
      // SAFETY: index stays below the literal's length.
      guard ByteClass.folded(self[start &+ index]) == name.utf8Start[index] else { return false }
      index &+= 1
    }
    return true
  }

  /// Whether the range holds exactly `word`, which is written in lower case; case is ignored.
  public func equalsIgnoringCase(_ word: StaticString, _ range: ByteRange) -> Bool {
    guard range.count == word.utf8CodeUnitCount else { return false }
    for index in 0..<range.count {
      let byte = self[Int(range.start) &+ index]
      let lower = byte &- 0x41 < 26 ? byte | 0x20 : byte
      // SAFETY: index stays below the literal's length.
      guard lower == word.utf8Start[index] else { return false }
    }
    return true
  }

  /// Whether two ranges hold the same bytes, ASCII case ignored.
  func equalIgnoringCase(_ left: ByteRange, _ right: ByteRange) -> Bool {
    guard left.count == right.count else { return false }
    for index in 0..<left.count {
      let a = self[Int(left.start) &+ index]
      let b = self[Int(right.start) &+ index]
      let lowerA = a &- 0x41 < 26 ? a | 0x20 : a
      let lowerB = b &- 0x41 < 26 ? b | 0x20 : b
      guard lowerA == lowerB else { return false }
    }
    return true
  }
}
