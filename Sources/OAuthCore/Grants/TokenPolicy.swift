/// What the server allows every grant, whatever a handler plans.
public struct TokenPolicy: Sendable {
  /// No access token lives longer, whatever the configuration says: what was revoked is remembered for this long.
  public static let accessTokenLifetimeMax = Duration.seconds(24 * 3600)

  /// The issuer identifier. Source: RFC 8414 §2.
  public var issuer: String
  public var accessTokenFormat: AccessTokenFormat
  /// Longest life of an access token, and the usual one.
  public var accessTokenLifetime: Duration
  /// A refresh token that is not used for this long ends.
  public var refreshIdle: Duration
  /// A family ends after this long, whatever happens.
  public var refreshAbsolute: Duration
  /// How long a superseded refresh token still yields its successor: the answer may have been lost on the way. That also
  /// holds while the ring's active key changes, since a family stays under the key that tagged its first token; once that
  /// key has left the ring, `invalid_grant` sends the resource owner to sign in again, and nothing counts as reuse.
  public var refreshGrace: Duration

  public init(
    issuer: String, accessTokenFormat: AccessTokenFormat = .opaque, accessTokenLifetime: Duration = .seconds(600),
    refreshIdle: Duration = .seconds(14 * 86_400), refreshAbsolute: Duration = .seconds(90 * 86_400),
    refreshGrace: Duration = .seconds(30)
  ) {
    self.issuer = issuer
    self.accessTokenFormat = accessTokenFormat
    self.accessTokenLifetime = accessTokenLifetime
    self.refreshIdle = refreshIdle
    self.refreshAbsolute = refreshAbsolute
    self.refreshGrace = refreshGrace
  }

  func format(for client: Client) -> AccessTokenFormat { client.accessTokenFormat ?? accessTokenFormat }

  /// What the plan asks for, within what the client and the server allow.
  func lifetime(_ planned: Duration?, for client: Client) -> Duration {
    let limit = client.accessTokenLifetime ?? accessTokenLifetime
    return max(.seconds(1), min(planned ?? limit, limit, Self.accessTokenLifetimeMax))
  }

  /// - Throws: `invalid_scope` or `invalid_target` when more is asked for than the client is registered for.
  func require(scope: ScopeSet?, audience: [String]?, within client: Client) throws(OAuthError) {
    if let scope, !scope.isSubset(of: client.scopes) {
      throw OAuthError(.invalidScope, "the client is not registered for this scope")
    }
    if let audience, !audience.allSatisfy(client.audiences.contains) {
      throw OAuthError(.invalidTarget, "the client is not registered for this resource")
    }
  }
}
