import EventLoop
import NetworkAddress

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
    self = address.ip.isIPv4 ? Self.ofIPv4(address.ip) : Self.ofIPv6(address.ip)
  }

  private static func ofIPv4(_ address: IPAddress) -> AddressClass {
    if localIPv4.contains(where: { $0.contains(address) }) { return .local }
    return forbiddenIPv4.contains { $0.contains(address) } ? .forbidden : .global
  }

  /// Only 2000::/3 is given out as global unicast (IANA IPv6 Address Space); the rest is refused without a list, `::1` and
  /// unique local addresses aside: unspecified, IPv4-compatible, NAT64 (RFC 6052), link-local, multicast. IPv4-mapped
  /// addresses are IPv4 here already (`IPAddress`).
  private static func ofIPv6(_ address: IPAddress) -> AddressClass {
    if localIPv6.contains(where: { $0.contains(address) }) { return .local }
    guard globalIPv6.contains(address) else { return .forbidden }
    return forbiddenIPv6.contains { $0.contains(address) } ? .forbidden : .global
  }

  private static let localIPv4 = [
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  // RFC 1918
    "100.64.0.0/10",  // shared address space, RFC 6598
    "127.0.0.0/8",
  ].map(block)

  private static let forbiddenIPv4 = [
    "0.0.0.0/8",  // "this network"; Linux connects 0.0.0.0 to itself
    "169.254.0.0/16",  // link-local and cloud metadata, RFC 3927
    "192.0.0.0/24",  // IETF protocol assignments
    "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  // documentation, RFC 5737
    "192.88.99.0/24",  // 6to4 relays, RFC 7526
    "198.18.0.0/15",  // benchmarking, RFC 2544
    "224.0.0.0/4",  // multicast
    "240.0.0.0/4",  // reserved, and broadcast
  ].map(block)

  private static let localIPv6 = [
    "::1/128",
    "fc00::/7",  // unique local, RFC 4193
  ].map(block)

  private static let globalIPv6 = block("2000::/3")

  private static let forbiddenIPv6 = [
    "2001::/23",  // IETF protocol assignments, Teredo among them
    "2001:db8::/32", "3fff::/20",  // documentation, RFC 3849 and RFC 9637
    "2002::/16",  // 6to4 carries an IPv4 address, RFC 3056
  ].map(block)

  private static func block(_ text: String) -> AddressBlock {
    guard let block = AddressBlock(text) else { preconditionFailure("not a block of addresses: \(text)") }
    return block
  }
}
