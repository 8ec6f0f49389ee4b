import NetworkAddress

/// A scheme, host and port: where a server listens. Source: RFC 9110 §4.3.1; RFC 6454 §4.
public struct Origin: Sendable, Hashable, CustomStringConvertible {
  public enum Scheme: String, Sendable {
    case http, https

    public var defaultPort: UInt16 { self == .http ? 80 : 443 }
  }

  public let scheme: Scheme
  /// Lower case; an IPv6 literal without its brackets.
  public let host: String
  public let port: UInt16

  /// - Parameter text: `scheme://host[:port]`, at most one slash behind it; no path, query, fragment or user information.
  public init(_ text: String) throws(OriginError) {
    guard text.utf8.count <= Origin.byteCountMax else { throw .tooLong }
    let rest: Substring
    if text.lowercased().hasPrefix("https://") {
      (scheme, rest) = (.https, text.dropFirst(8))
    } else if text.lowercased().hasPrefix("http://") {
      (scheme, rest) = (.http, text.dropFirst(7))
    } else {
      throw .scheme
    }
    let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
    guard !authority.utf8.contains(UInt8(ascii: "@")) else { throw .userInformation }
    guard !authority.contains(where: { "/?#\\".contains($0) }) else { throw .path }

    do throws(Authority.Failure) {
      let parts = try Authority(authority)
      // An IPv4 address in IPv6 clothes: two names for one server.
      if parts.host.contains(":"), IPAddress(parts.host)?.isIPv4 == true { throw .host }
      host = parts.host
      port = parts.port ?? scheme.defaultPort
    } catch {
      throw error == .host ? .host : .port
    }
  }

  public init(scheme: Scheme, host: String, port: UInt16) {
    self.scheme = scheme
    self.host = host.lowercased()
    self.port = port
  }

  /// The host as `Host` and URLs spell it, with the port unless it is the scheme's own. Source: RFC 9110 §7.2.
  public var authority: String {
    let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    return port == scheme.defaultPort ? name : "\(name):\(port)"
  }

  public var isSecure: Bool { scheme == .https }

  /// A loopback literal, or `localhost`. Source: RFC 6761 §6.3; RFC 8252 §7.3.
  public var isLoopback: Bool { host == "localhost" || IPAddress(host)?.isLoopback == true }

  public var description: String { "\(scheme.rawValue)://\(authority)" }

  /// Host names have at most 253 bytes (RFC 1035 §2.3.4); scheme and port come on top.
  private static let byteCountMax = 300
}

public enum OriginError: Error, Sendable, Equatable, CustomStringConvertible {
  case scheme, userInformation, path, host, port, tooLong

  public var description: String {
    switch self {
    case .scheme: "The URL must begin with https:// or http://."
    case .userInformation: "The URL must not hold a user name or password."
    case .path: "The URL must end after host and port, without path, query or fragment."
    case .host: "The URL's host is not a DNS name, an IPv4 address or an IPv6 address in brackets."
    case .port: "The URL's port is not a number from 1 to 65535."
    case .tooLong: "The URL is too long."
    }
  }
}
