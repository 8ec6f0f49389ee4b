import OAuthCore

/// What a browser session of Postern's own pages is good for on a route that takes it.
public struct SessionRule: Sendable, Hashable {
  /// An account has no scopes of its own: whoever is signed in has these here.
  public var scopes: ScopeSet

  public init(scopes: ScopeSet = []) { self.scopes = scopes }
}

extension AccessPolicy {
  /// Judges a browser session that is genuine and not ended.
  ///
  /// The audience takes no part: it tells apart tokens that were issued for several resources, and a session is for this
  /// gateway alone.
  public func decide(sessionUntil expiresAt: Timestamp, at now: Timestamp) -> AccessDecision {
    guard let session, now < expiresAt else { return .deny(.missingToken) }
    return requiredScopes.isSubset(of: session.scopes) ? .allow : .deny(.insufficientScope)
  }
}
