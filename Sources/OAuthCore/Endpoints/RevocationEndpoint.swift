import Cryptography

/// Ends a token that its client no longer needs. Source: RFC 7009.
public struct RevocationEndpoint: Sendable {
  private let authenticator: ClientAuthenticator
  private let verifier: AccessTokenVerifier
  private let handles: HandleMint
  private let store: any TokenStore
  private let audit: any AuditLog
  private let clock: any WallClock

  public init(
    authenticator: ClientAuthenticator, verifier: AccessTokenVerifier, handles: HandleMint, store: any TokenStore,
    audit: any AuditLog, clock: any WallClock
  ) {
    self.authenticator = authenticator
    self.verifier = verifier
    self.handles = handles
    self.store = store
    self.audit = audit
    self.clock = clock
  }

  /// Answers one request. Success is an empty 200, also for a token that is unknown or has ended: the client has what it
  /// wants (RFC 7009 §2.2). `token_type_hint` is not needed: a token shows its own kind.
  public func respond(to request: ClientRequest) async -> EndpointResponse {
    let now = clock.now
    do throws(OAuthError) {
      let form = try request.form()
      try requireUnrepeated(form)
      let client = try await authenticator.authenticate(request, form, at: now)
      guard let token = form["token"] else { throw OAuthError(.invalidRequest, "a parameter is missing: token") }
      if let ended = try await revoke(token, of: client, at: now) {
        audit.record(
          AuditEvent(.tokenRevoked, at: now, client: client.id, artefact: ended, remoteAddress: request.remoteAddress))
      }
      return EndpointResponse(status: 200, fields: [("Cache-Control", "no-store"), ("Pragma", "no-cache")])
    } catch {
      return EndpointResponse(error)
    }
  }

  /// - Returns: what ended; nil when there was nothing to end.
  /// - Throws: `unsupported_token_type`; `invalid_grant` for another client's token (RFC 7009 §2.1).
  private func revoke(_ token: String, of client: Client, at now: Timestamp) async throws(OAuthError) -> Locator? {
    for kind in [HandleKind.authorizationCode, .clientSecret, .session] where token.hasPrefix(kind.rawValue + "_") {
      throw OAuthError(.unsupportedTokenType, "only access tokens and refresh tokens can be revoked")
    }
    if let refreshToken = handles.parse(token, .refreshToken) {
      return try await revokeFamily(refreshToken.locator, of: client, at: now)
    }
    guard let facts = try await asking({ () throws(StoreFailure) in try await verifier.verify(Array(token.utf8)) })
    else {
      return nil
    }
    try require(facts.client, is: client)
    try await asking { () throws(StoreFailure) in
      try await store.revokeAccessToken(facts.locator, expiresAt: facts.expiresAt, at: now)
    }
    return facts.locator
  }

  /// Any refresh token that this server made for the family ends it, a superseded one too.
  ///
  /// Source: RFC 7009 §2.1: with the refresh token, the access tokens of the same grant end.
  private func revokeFamily(_ locator: Locator, of client: Client, at now: Timestamp) async throws(OAuthError)
    -> Locator?
  {
    guard let family = try await asking({ () throws(StoreFailure) in try await store.family(locator) }) else {
      return nil
    }
    try require(family.authorization.client, is: client)
    guard !family.isRevoked else { return nil }
    try await asking { () throws(StoreFailure) in
      try await store.revokeFamily(locator, reason: .clientRequest, at: now)
    }
    return locator
  }

  private func require(_ owner: ClientID, is client: Client) throws(OAuthError) {
    guard owner == client.id else { throw OAuthError(.invalidGrant, "the token was issued to another client") }
  }
}
