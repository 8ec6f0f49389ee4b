/// Where the pages live, taken from the issuer identifier. Source: RFC 6454 §6.2; RFC 8414 §2.
public struct IssuerOrigin: Sendable, Equatable {
  /// Host, and port if it is not the scheme's own.
  public let host: String
  public let isSecure: Bool

  /// As browsers spell it, such as `https://auth.example.com`.
  public var serialized: String { (isSecure ? "https://" : "http://") + host }

  /// - Parameter issuer: an absolute `https` URL, or `http` on loopback; the configuration has checked it.
  public init(_ issuer: String) {
    let lowercased = issuer.lowercased()
    isSecure = lowercased.hasPrefix("https://")
    let authority = lowercased.dropFirst(isSecure ? 8 : 7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let defaultPort = isSecure ? ":443" : ":80"
    host = String(authority.hasSuffix(defaultPort) ? authority.dropLast(defaultPort.count) : authority)
  }
}
