import Glibc

/// An IPv4 or IPv6 address.
public struct IPAddress: Sendable, Hashable {
  /// 4 or 16 bytes, network order. IPv4-mapped IPv6 addresses are kept as IPv4.
  public let bytes: [UInt8]

  public init?(bytes: [UInt8]) {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    let isMapped = bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
    self.bytes = isMapped ? Array(bytes[12...]) : bytes
  }

  /// - Parameter literal: without brackets and zone.
  public init?(_ literal: String) {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, literal, &bytes) == 1 {
      self.init(bytes: Array(bytes[..<4]))
    } else if inet_pton(AF_INET6, literal, &bytes) == 1 {
      self.init(bytes: bytes)
    } else {
      return nil
    }
  }

  public var isLoopback: Bool {
    bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
  }
}

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
    guard AddressBlock.masked(base.bytes, prefixBitCount) == base.bytes else { return nil }
  }

  public func contains(_ address: IPAddress) -> Bool {
    address.bytes.count == base.bytes.count && AddressBlock.masked(address.bytes, prefixBitCount) == base.bytes
  }

  private static func masked(_ bytes: [UInt8], _ bitCount: Int) -> [UInt8] {
    bytes.enumerated().map { index, byte in
      let kept = min(max(bitCount - index * 8, 0), 8)
      return kept == 8 ? byte : byte & ~(UInt8(0xff) >> UInt8(kept))
    }
  }
}
