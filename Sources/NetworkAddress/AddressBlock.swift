/// An address or a block of addresses in CIDR notation. Source: RFC 4632 §3.1; RFC 4291 §2.3.
public struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
  public let base: IPAddress
  /// Leading bits that an address of the block shares with `base`.
  public let prefixBitCount: Int
  public let description: String

  /// - Parameter text: `10.0.0.0/8`, `fd00::/8`, or one address. The bits behind the prefix must be zero, since
  ///   `10.1.2.3/8` is more often a slip than a wish.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let base = IPAddress(String(parts[0])) else { return nil }
    let bitCountMax = base.bytes.count * 8
    if parts.count == 2 {
      guard let count = Int(parts[1]), String(count) == parts[1], (0...bitCountMax).contains(count) else { return nil }
      prefixBitCount = count
    } else {
      prefixBitCount = bitCountMax
    }
    self.base = base
    description = text
    let (whole, mask) = boundary
    guard base.bytes.dropFirst(whole + 1).allSatisfy({ $0 == 0 }) else { return nil }
    guard whole == base.bytes.count || base.bytes[whole] & ~mask == 0 else { return nil }
  }

  public func contains(_ address: IPAddress) -> Bool {
    guard address.bytes.count == base.bytes.count else { return false }
    let (whole, mask) = boundary
    guard address.bytes[..<whole] == base.bytes[..<whole] else { return false }
    return whole == base.bytes.count || (address.bytes[whole] ^ base.bytes[whole]) & mask == 0
  }

  /// How many whole bytes the prefix has, and which bits of the next one belong to it.
  private var boundary: (whole: Int, mask: UInt8) {
    (prefixBitCount / 8, UInt8(truncatingIfNeeded: 0xff00 >> (prefixBitCount % 8)))
  }
}
