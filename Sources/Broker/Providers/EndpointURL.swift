/// The absolute URL of a provider's endpoint, taken apart once so that nobody reads it differently later.
///
/// Stricter than RFC 3986 where leniency helps attackers only: no user information, no fragment, no percent-encoding
/// in the host, no control characters, spaces or backslashes anywhere, and no number that only some readers take for an
/// IPv4 address (`2130706433`, `0x7f.1`, `127.1`; WHATWG URL §3.5 would accept them).
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
    guard let (host, port) = Self.split(authority) else { return nil }
    let target = rest[authority.endIndex...]
    self.scheme = scheme
    self.host = host
    self.port = port ?? scheme.defaultPort
    self.target = target.hasPrefix("/") ? String(target) : "/" + target
  }

  /// Scheme, host and port: what may stand in a log. Source: RFC 6454 §6.2.
  public var origin: String {
    let literal = host.contains(":") ? "[\(host)]" : host
    return port == scheme.defaultPort ? "\(scheme)://\(literal)" : "\(scheme)://\(literal):\(port)"
  }

  public var description: String { origin + target }

  private static func split(_ authority: Substring) -> (host: String, port: UInt16?)? {
    let host: Substring
    let afterHost: Substring
    if authority.first == "[" {
      guard let bracket = authority.firstIndex(of: "]") else { return nil }
      host = authority[..<bracket].dropFirst()
      afterHost = authority[bracket...].dropFirst()
      guard host.contains(":"), host.utf8.allSatisfy(isIPv6Byte) else { return nil }
    } else {
      host = authority.prefix { $0 != ":" }
      afterHost = authority[host.endIndex...]
      guard isName(host) else { return nil }
    }
    if afterHost.isEmpty { return (host.lowercased(), nil) }
    let digits = afterHost.dropFirst()
    guard afterHost.first == ":", !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let port = UInt16(digits), port > 0
    else { return nil }
    return (host.lowercased(), port)
  }

  private static func isName(_ host: Substring) -> Bool {
    let labels = host.split(separator: ".", omittingEmptySubsequences: false)
    guard host.utf8.count <= 253, labels.allSatisfy({ (1...63).contains($0.utf8.count) }),
      host.utf8.allSatisfy(isNameByte), let last = labels.last
    else { return false }
    let endsInNumber = last.utf8.allSatisfy { (0x30...0x39).contains($0) } || last.lowercased().hasPrefix("0x")
    return !endsInNumber || isIPv4(labels)
  }

  /// Four decimal numbers without leading zeros, which no reader takes for octal.
  private static func isIPv4(_ labels: [Substring]) -> Bool {
    labels.count == 4 && labels.allSatisfy { UInt8($0).map(String.init) == String($0) }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 0x30...0x39: true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
    default: false
    }
  }

  private static func isIPv6Byte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"), 0x30...0x39: true
    case UInt8(ascii: ":"), UInt8(ascii: "."): true
    default: false
    }
  }
}
