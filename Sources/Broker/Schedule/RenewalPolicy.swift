import OAuthCore

/// How a provider's connections are kept fresh though nobody asks.
public struct RenewalPolicy: Sendable, Equatable {
  /// For so long after its last use, a connection has a live token at any moment; after that, its next user waits for one.
  public var keepFresh = Duration.seconds(24 * 3600)
  /// So long after the last refresh even an idle connection is refreshed, so that its refresh token does not lapse.
  /// Providers end unused ones after 30 days and more.
  public var keepAlive = Duration.seconds(20 * 24 * 3600)
  /// Refreshes in flight at the provider that nobody waits for, of one instance.
  public var concurrency = 8

  public init() {}

  enum Decision: Equatable {
    case renew
    /// Nothing has to be done before.
    case postpone(until: Timestamp)
  }

  func decide(_ due: DueRenewal, at now: Timestamp) -> Decision {
    if now < due.usedAt + keepFresh { return .renew }
    let end = due.renewedAt + keepAlive
    return end <= now ? .renew : .postpone(until: end)
  }
}
