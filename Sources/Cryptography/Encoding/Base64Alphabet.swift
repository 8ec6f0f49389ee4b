/// The sixty-four characters, as arithmetic: no table and no branch depends on the data, which is often a secret, so
/// neither the cache nor the branch predictor learns it.
///
/// Every comparison is the sign of a difference: `(a - b) >> 8` is all ones when a < b and zero otherwise, for small
/// numbers. Source: RFC 4648 §4 and §5.
struct Base64Alphabet {
  /// The characters for 62 and 63.
  private let character62: Int32
  private let character63: Int32

  /// `+` and `/`. Source: RFC 4648 §4.
  static let standard = Base64Alphabet(character62: 0x2b, character63: 0x2f)
  /// `-` and `_`. Source: RFC 4648 §5.
  static let urlSafe = Base64Alphabet(character62: 0x2d, character63: 0x5f)

  /// - Parameter value: 0 to 63.
  @inline(__always)
  func character(_ value: UInt32) -> UInt8 {
    let value = Int32(truncatingIfNeeded: value)
    var character = value &+ 0x41  // A-Z
    character &+= ((25 &- value) >> 8) & 6  // a-z: 26 becomes 0x61
    character &-= ((51 &- value) >> 8) & 75  // 0-9: 52 becomes 0x30
    character &+= ((61 &- value) >> 8) & (character62 &- 0x3a)
    character &+= ((62 &- value) >> 8) & (character63 &- character62 &- 1)
    return UInt8(truncatingIfNeeded: character)
  }

  /// 0 to 63, or -1 for a character outside the alphabet.
  @inline(__always)
  func value(_ character: UInt8) -> Int32 {
    let character = Int32(character)
    var value: Int32 = -1
    value &+= between(character, 0x41, 0x5a) & (character &- 0x40)
    value &+= between(character, 0x61, 0x7a) & (character &- 0x46)
    value &+= between(character, 0x30, 0x39) & (character &+ 5)
    value &+= between(character, character62, character62) & 63
    value &+= between(character, character63, character63) & 64
    return value
  }

  @inline(__always)
  private func between(_ character: Int32, _ first: Int32, _ last: Int32) -> Int32 {
    ((first &- 1 &- character) & (character &- last &- 1)) >> 8
  }

  // MARK: Whole texts, without padding

  static func encodedCount(_ count: Int) -> Int { (count * 4 + 2) / 3 }

  /// nil for a length that no encoding has: one character left over carries no byte.
  static func decodedCount(_ count: Int) -> Int? { count % 4 == 1 ? nil : count * 3 / 4 }

  /// - Parameter target: room for `encodedCount(source.count)`.
  @inline(__always)
  func encode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
    var read = 0
    var written = 0
    while read < source.count {
      var group: UInt32 = 0
      let count = min(3, source.count - read)
      for index in 0..<3 {
        group = group << 8 | (index < count ? UInt32(source[read + index]) : 0)
      }
      for index in 0...count {
        target[written + index] = character(group >> UInt32(18 - 6 * index) & 63)
      }
      read += count
      written += count + 1
    }
  }

  /// Decodes strictly: no padding, no other characters, and the bits after the last byte are zero, so that one value has
  /// one encoding (RFC 4648 §3.5).
  ///
  /// - Returns: the number of bytes written; nil when the text is not canonical or does not fit. What `target` holds then
  ///   is unspecified.
  @inline(__always)
  func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
    guard let count = Self.decodedCount(source.count), count <= target.count else { return nil }
    var errors: Int32 = 0
    var read = 0
    var written = 0
    while written < count {
      let width = min(4, source.count - read)
      var group: UInt32 = 0
      for index in 0..<4 {
        let value = index < width ? self.value(source[read + index]) : 0
        errors |= value
        group = group << 6 | UInt32(truncatingIfNeeded: value) & 63
      }
      for index in 0..<(width - 1) {
        target[written + index] = UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))
      }
      // Two characters carry one byte and four bits over, three carry two bytes and two bits over.
      let leftOver: UInt32 = width == 2 ? 0xffff : width == 3 ? 0xff : 0
      errors |= (group & leftOver) == 0 ? 0 : -1
      read += width
      written += width - 1
    }
    return errors < 0 ? nil : count
  }
}
