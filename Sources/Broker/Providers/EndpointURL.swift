import NetworkAddress

/// The absolute URL of a provider's endpoint, taken apart once so that nobody reads it differently later.
///
/// Stricter than RFC 3986 where leniency helps attackers only: no fragment, no control characters, spaces or backslashes
/// anywhere, and what `Authority` refuses.
public struct EndpointURL: Sendable, Hashable, CustomStringConvertible {
  public enum Scheme: String, Sendable {
    case https, http

    public var defaultPort: UInt16 { self == .https ? 443 : 80 }
  }

  public let scheme: Scheme
  /// Lower case: a name, an IPv4 address, or an IPv6 address without its brackets.
  public let host: String
  public let port: UInt16
  /// Path and query, starting with `/`; may name things that logs should not.
  public let target: String

  public static let byteCountMax = 2048

  /// nil when `text` is not such a URL.
  public init?(_ text: String) {
    let isVisible = text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") }
    guard isVisible, text.utf8.count <= Self.byteCountMax, !text.contains("#") else { return nil }
    guard let separator = text.firstIndex(of: ":"), text[separator...].hasPrefix("://"),
      let scheme = Scheme(rawValue: text[..<separator].lowercased())
    else { return nil }
    let rest = text[separator...].dropFirst(3)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    guard let parts = try? Authority(authority) else { return nil }
    let target = rest[authority.endIndex...]
    self.scheme = scheme
    host = parts.host
    port = parts.port ?? scheme.defaultPort
    self.target = target.hasPrefix("/") ? String(target) : "/" + target
  }

  /// Scheme, host and port: what may stand in a log. Source: RFC 6454 §6.2.
  public var origin: String {
    let literal = host.contains(":") ? "[\(host)]" : host
    return port == scheme.defaultPort ? "\(scheme)://\(literal)" : "\(scheme)://\(literal):\(port)"
  }

  public var description: String { origin + target }
}
