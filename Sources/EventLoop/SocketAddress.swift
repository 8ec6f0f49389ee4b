import CLinux
import Glibc

/// An IP address and port, ready for the kernel.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
  /// 4 or 16 bytes, network order. IPv4-mapped IPv6 addresses are kept as IPv4.
  public let address: [UInt8]
  public let port: UInt16

  public init?(address: [UInt8], port: UInt16) {
    guard address.count == 4 || address.count == 16 else { return nil }
    let isMapped = address.count == 16 && address[..<10].allSatisfy { $0 == 0 } && address[10] == 0xff && address[11] == 0xff
    self.address = isMapped ? Array(address[12...]) : address
    self.port = port
  }

  /// - Parameter literal: an IPv4 or IPv6 literal without brackets; host names are not resolved here.
  public init?(literal: String, port: UInt16) {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, literal, &bytes) == 1 {
      self.init(address: Array(bytes[..<4]), port: port)
    } else if inet_pton(AF_INET6, literal, &bytes) == 1 {
      self.init(address: bytes, port: port)
    } else {
      return nil
    }
  }

  public var isLoopback: Bool {
    address.count == 4 ? address[0] == 127 : address == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
  }

  /// The address alone, as a literal.
  public var host: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    _ = inet_ntop(address.count == 4 ? AF_INET : AF_INET6, address, &text, socklen_t(text.count))
    return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  public var description: String { address.count == 4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

  // SAFETY: every socket address begins with the family and may be read as a `sockaddr`; the length goes with it.
  func withSockAddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    if address.count == 4 {
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
