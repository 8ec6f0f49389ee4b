/// The response fields of a limited route.
///
/// The policy is a quota per window that gives the same rate: burst and the time a bucket takes to fill, or, where the
/// burst is smaller than what a period allows, the configured rate itself.
///
/// Source: draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy` and `RateLimit`; RFC 8941 §3.1 for their lists.
public struct RateFields: Sendable {
  public static let policyName = "RateLimit-Policy"
  public static let stateName = "RateLimit"

  /// The value of `RateLimit-Policy`.
  public let policy: String
  /// The policy's name as an item: a string of RFC 8941.
  public let item: String

  /// - Parameter route: its name; letters, digits, hyphens, dots and underscores.
  public init(_ rule: RateRule, route: String) {
    item = "\"\(route)\""
    let quota = max(rule.count, rule.burst)
    let window = rule.burst <= rule.count ? rule.period : (rule.period * rule.burst + rule.count - 1) / rule.count
    policy = "\(item);q=\(quota);w=\(window)"
  }

  /// The value of `RateLimit`.
  public func state(_ verdict: RateVerdict) -> String {
    "\(item);r=\(verdict.remaining);t=\(verdict.secondsUntilFull)"
  }
}
