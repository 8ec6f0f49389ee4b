import ReverseProxy

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
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
    else { return nil }
    var host = text[..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard IPAddress(String(host)) != nil, isBracketed == host.contains(":") else { return nil }
    self.init(host: String(host), port: port)
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
