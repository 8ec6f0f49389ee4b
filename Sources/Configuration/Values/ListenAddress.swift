import NetworkAddress

/// Where a listener waits: an IP address and a port.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// Without brackets.
  public let host: String
  public let port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// - Parameter text: `0.0.0.0:8443` or `[::1]:8443`. Names are not resolved: a listener must not move with DNS.
  public init?(_ text: String) {
    guard let parts = try? Authority(text), let port = parts.port, IPAddress(parts.host) != nil else { return nil }
    self.init(host: parts.host, port: port)
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
