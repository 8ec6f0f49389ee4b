import CLinux
import Glibc
import NetworkAddress

/// An IP address and port, ready for the kernel.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
  public let ip: IPAddress
  public let port: UInt16

  public init(_ ip: IPAddress, port: UInt16) {
    self.ip = ip
    self.port = port
  }

  /// - Parameter address: 4 or 16 bytes, network order.
  public init?(address: [UInt8], port: UInt16) {
    guard let ip = IPAddress(bytes: address) else { return nil }
    self.init(ip, port: port)
  }

  /// - Parameter literal: an IPv4 or IPv6 literal without brackets; host names are not resolved here.
  public init?(literal: String, port: UInt16) {
    guard let ip = IPAddress(literal) else { return nil }
    self.init(ip, port: port)
  }

  /// 4 or 16 bytes, network order.
  public var address: [UInt8] { ip.bytes }

  public var isLoopback: Bool { ip.isLoopback }

  /// The address alone, as a literal.
  public var host: String { ip.description }

  public var description: String { ip.isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

  // SAFETY: every socket address begins with the family and may be read as a `sockaddr`; the length goes with it.
  func withSockAddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    if ip.isIPv4 {
      var value = sockaddr_in()
      value.sin_family = sa_family_t(AF_INET)
      value.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &value.sin_addr) { $0.copyBytes(from: address) }
      return withUnsafePointer(to: &value) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      }
    }
    var value = sockaddr_in6()
    value.sin6_family = sa_family_t(AF_INET6)
    value.sin6_port = port.bigEndian
    withUnsafeMutableBytes(of: &value.sin6_addr) { $0.copyBytes(from: address) }
    return withUnsafePointer(to: &value) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
    }
  }

  // SAFETY: `sockaddr_storage` has room and alignment for each family; the kernel wrote the one that it names.
  init?(_ storage: sockaddr_storage) {
    var storage = storage
    switch Int32(storage.ss_family) {
    case AF_INET:
      let value = withUnsafePointer(to: &storage) { $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee } }
      self.init(address: withUnsafeBytes(of: value.sin_addr) { Array($0) }, port: UInt16(bigEndian: value.sin_port))
    case AF_INET6:
      let value = withUnsafePointer(to: &storage) { $0.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee } }
      self.init(address: withUnsafeBytes(of: value.sin6_addr) { Array($0) }, port: UInt16(bigEndian: value.sin6_port))
    default: return nil
    }
  }
}
