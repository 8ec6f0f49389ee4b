/// The 16-byte UUIDv7 that names a stored artefact: primary key and partition key, not a secret.
///
/// Source: RFC 9562 §5.7: 48 bits of Unix milliseconds, version 7, variant, 74 bits of randomness.
public struct Locator: Sendable, Hashable, CustomStringConvertible {
  public let high: UInt64
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// - Parameters:
  ///   - createdAt: kept to the millisecond.
  ///   - randomness: two random words; 74 of their bits are used.
  public init(createdAt: Timestamp, randomness: (UInt64, UInt64)) {
    let milliseconds = UInt64(max(0, createdAt.microseconds / 1000))
    high = milliseconds << 16 | 0x7000 | (randomness.0 & 0x0fff)
    low = 0x8000_0000_0000_0000 | (randomness.1 & 0x3fff_ffff_ffff_ffff)
  }

  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    var words: (UInt64, UInt64) = (0, 0)
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    high = UInt64(bigEndian: words.0)
    low = UInt64(bigEndian: words.1)
  }

  /// The 8-4-4-4-12 hexadecimal form, in lower case, as `description` and PostgreSQL write it; nil for anything else.
  public init?(text: String) {
    var words = (UInt64(0), UInt64(0))
    var count = 0
    for byte in text.utf8 where byte != UInt8(ascii: "-") {
      let digit: UInt8
      switch byte {
      case 0x30...0x39: digit = byte - 0x30
      case 0x61...0x66: digit = byte - 0x57
      default: return nil
      }
      words.0 = words.0 << 4 | words.1 >> 60
      words.1 = words.1 << 4 | UInt64(digit)
      count += 1
    }
    guard count == 32 else { return nil }
    self.init(high: words.0, low: words.1)
    guard description == text else { return nil }
  }

  public var bytes: [UInt8] {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
  }

  /// When it was made, to the millisecond.
  public var createdAt: Timestamp { Timestamp(microseconds: Int64(high >> 16) * 1000) }

  /// The usual 8-4-4-4-12 hexadecimal form.
  public var description: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
