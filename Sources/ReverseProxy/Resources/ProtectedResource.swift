import OAuthCore

/// What clients know a route by: the name its tokens are asked for under, and where its metadata is.
///
/// A route with an audience goes by that, so that the `resource` which clients find is the one that gets them in; a route
/// without one by its own URL. An audience that is no URL, or has a query, is no resource identifier, and its route
/// cannot be discovered.
///
/// Source: RFC 9728 §1.2, §3.1; RFC 8707 §2.
public struct ProtectedResource: Sendable, Hashable {
  /// Such as `https://gw.example.com/crm`; without a slash at the end of an empty path.
  public let identifier: String
  /// `https://gw.example.com`.
  public let origin: Origin
  /// Empty, or with a slash at its beginning.
  public let path: String

  /// Where metadata is found: between host and path. Source: RFC 9728 §3.1.
  public static let wellKnownPath = "/.well-known/oauth-protected-resource"

  /// nil: `identifier` is no `https` URL, or `http` on loopback, without query and fragment.
  public init?(_ identifier: String) {
    let scheme = identifier.hasPrefix("https://") ? "https://" : "http://"
    guard identifier.hasPrefix(scheme) else { return nil }
    let authorityEnd = identifier.dropFirst(scheme.count).firstIndex(of: "/") ?? identifier.endIndex
    guard let origin = try? Origin(String(identifier[..<authorityEnd])), origin.scheme == .https || origin.isLoopback,
      identifier[authorityEnd...].utf8.allSatisfy(Self.isPathByte)
    else { return nil }
    let path = identifier[authorityEnd...]
    self.origin = origin
    self.path = path == "/" ? "" : String(path)
    self.identifier = identifier
  }

  /// nil: no token is taken there, or its audience is no resource identifier.
  ///
  /// - Parameter issuer: where routes for any host are reached.
  public init?(of route: Route, issuer: Origin) {
    guard !route.access.isAnonymous, !route.access.accepts.isEmpty else { return nil }
    if let audience = route.access.audience {
      self.init(audience)
    } else {
      let origin = route.host.map { Origin(scheme: issuer.scheme, host: $0, port: issuer.port) } ?? issuer
      self.init("\(origin)\(route.pattern.literalPrefix)")
    }
  }

  public var metadataURL: String { "\(origin)\(Self.wellKnownPath)\(path)" }

  /// `pchar` and `/`. Source: RFC 3986 §3.3.
  private static func isPathByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    default: "-._~%!$&'()*+,;=:@/".utf8.contains(byte)
    }
  }
}

extension PathPattern {
  /// What all its paths begin with, as written: `/photos` of `/photos/**`, `/a` of `/a/*/b`, and nothing of `/**`.
  var literalPrefix: String {
    let segments = description.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    return segments.prefix { $0 != "*" && $0 != "**" }.map { "/\($0)" }.joined()
  }
}
