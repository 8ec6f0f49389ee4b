/// The paths of Postern's own endpoints, on every host. No route stands in front of them.
public enum ReservedPaths {
  public static let patterns: [PathPattern] = [
    "/oauth/**", "/login/**", "/logout/**", "/consent/**", "/device/**", "/account/**", "/connect/**",
    "/.well-known/oauth-authorization-server/**", "/.well-known/openid-configuration/**",
    "/.well-known/oauth-protected-resource/**",
  ].map { text in
    do { return try PathPattern(text) } catch { preconditionFailure("reserved path \(text): \(error)") }
  }

  /// The reserved pattern that covers all that `pattern` serves; nil when the route would be reached.
  static func covering(_ pattern: PathPattern) -> PathPattern? {
    patterns.first { pattern.segments.starts(with: $0.segments) }
  }
}
