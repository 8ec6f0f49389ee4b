import EventLoop
import Glibc

/// Finds the addresses of a host. Blocks, so it is called on a worker pool.
public protocol NameResolver: Sendable {
  /// - Returns: every address; empty when the name does not resolve.
  func addresses(of host: String, port: UInt16) -> [SocketAddress]
}

/// The system's resolver: `/etc/hosts`, DNS, whatever nsswitch.conf says.
public struct SystemResolver: NameResolver {
  public init() {}

  public func addresses(of host: String, port: UInt16) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var entry = list
    // SAFETY: the list is getaddrinfo's and freed after the loop; each `ai_addr` holds what its family says.
    while let current = entry?.pointee {
      if let address = Self.address(current, port: port), !found.contains(address) { found.append(address) }
      entry = current.ai_next
    }
    return found
  }

  private static func address(_ entry: addrinfo, port: UInt16) -> SocketAddress? {
    guard let raw = UnsafeRawPointer(entry.ai_addr) else { return nil }
    // SAFETY: `ai_family` says which address structure `ai_addr` points to.
    switch entry.ai_family {
    case AF_INET:
      let address = raw.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_addr
      return SocketAddress(address: withUnsafeBytes(of: address) { Array($0) }, port: port)
    case AF_INET6:
      let address = raw.assumingMemoryBound(to: sockaddr_in6.self).pointee.sin6_addr
      return SocketAddress(address: withUnsafeBytes(of: address) { Array($0) }, port: port)
    default: return nil
    }
  }
}
