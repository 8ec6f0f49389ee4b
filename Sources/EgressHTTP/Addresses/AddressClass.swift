import EventLoop

/// What kind of place an address names: the guard against server-side request forgery decides by it.
///
/// Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890).
enum AddressClass: Sendable {
  /// Globally reachable.
  case global
  /// Loopback, private networks and shared address space: reachable where a provider's development flag says so.
  case local
  /// Link-local with its metadata services, multicast, unspecified, reserved, documentation, and IPv6 forms that carry an
  /// IPv4 address to a translator: never a provider.
  case forbidden

  init(_ address: SocketAddress) {
    let bytes = address.address
    self = bytes.count == 4 ? Self.ofIPv4(bytes) : Self.ofIPv6(bytes)
  }

  private static func ofIPv4(_ address: [UInt8]) -> AddressClass {
    if localIPv4.contains(where: { $0.contains(address) }) { return .local }
    return forbiddenIPv4.contains { $0.contains(address) } ? .forbidden : .global
  }

  /// Only 2000::/3 is given out as global unicast (IANA IPv6 Address Space); the rest is refused without a list, `::1` and
  /// unique local addresses aside: unspecified, IPv4-compatible, NAT64 (RFC 6052), link-local, multicast. IPv4-mapped
  /// addresses are IPv4 here already (`SocketAddress`).
  private static func ofIPv6(_ address: [UInt8]) -> AddressClass {
    if localIPv6.contains(where: { $0.contains(address) }) { return .local }
    guard globalIPv6.contains(address) else { return .forbidden }
    return forbiddenIPv6.contains { $0.contains(address) } ? .forbidden : .global
  }

  private static let localIPv4: [AddressBlock] = [
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  // RFC 1918
    "100.64.0.0/10",  // shared address space, RFC 6598
    "127.0.0.0/8",
  ]

  private static let forbiddenIPv4: [AddressBlock] = [
    "0.0.0.0/8",  // "this network"; Linux connects 0.0.0.0 to itself
    "169.254.0.0/16",  // link-local and cloud metadata, RFC 3927
    "192.0.0.0/24",  // IETF protocol assignments
    "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  // documentation, RFC 5737
    "192.88.99.0/24",  // 6to4 relays, RFC 7526
    "198.18.0.0/15",  // benchmarking, RFC 2544
    "224.0.0.0/4",  // multicast
    "240.0.0.0/4",  // reserved, and broadcast
  ]

  private static let localIPv6: [AddressBlock] = [
    "::1/128",
    "fc00::/7",  // unique local, RFC 4193
  ]

  private static let globalIPv6: AddressBlock = "2000::/3"

  private static let forbiddenIPv6: [AddressBlock] = [
    "2001::/23",  // IETF protocol assignments, Teredo among them
    "2001:db8::/32", "3fff::/20",  // documentation, RFC 3849 and RFC 9637
    "2002::/16",  // 6to4 carries an IPv4 address, RFC 3056
  ]
}

/// Addresses that share their first bits. Source: RFC 4632 §3.1; RFC 4291 §2.3.
struct AddressBlock: Sendable, ExpressibleByStringLiteral {
  private let prefix: [UInt8]
  private let bitCount: Int

  /// For blocks written in source code.
  init(stringLiteral text: String) {
    let parts = text.split(separator: "/")
    guard parts.count == 2, let address = SocketAddress(literal: String(parts[0]), port: 0), let bits = Int(parts[1])
    else { preconditionFailure("not a block of addresses: \(text)") }
    prefix = address.address
    bitCount = bits
  }

  func contains(_ address: [UInt8]) -> Bool {
    guard address.count == prefix.count else { return false }
    let whole = bitCount / 8
    guard address[..<whole] == prefix[..<whole] else { return false }
    let mask = UInt8(truncatingIfNeeded: 0xff00 >> (bitCount % 8))
    return bitCount % 8 == 0 || (address[whole] ^ prefix[whole]) & mask == 0
  }
}
