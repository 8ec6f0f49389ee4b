import JSON

/// Turns a plan into tokens: limits it, has one statement run, spells the result.
///
/// Every grant passes here, so what is enforced here holds for all of them.
struct TokenIssuance: Sendable {
  let store: any TokenStore
  let accessTokens: AccessTokenIssuer
  let handles: HandleMint
  let policy: TokenPolicy
  let registry: GrantRegistry

  func execute(
    _ plan: IssuancePlan, _ descriptor: GrantDescriptor, _ client: Client, for constraint: SenderConstraint, at now: Timestamp
  ) async throws(OAuthError) -> IssuedTokens {
    let draft = accessTokens.draft(policy.format(for: client), at: now)
    let expiresAt = now + policy.lifetime(plan.lifetime, for: client)
    switch plan.authority {
    case .decided(var authorization):
      authorization.claims = constraint.replaced(in: authorization.claims)
      return try await issue(plan, authorization, descriptor, client, draft, expiresAt: expiresAt, at: now)
    case .family(let refresh):
      return try await self.refresh(refresh, client, draft, expiresAt: expiresAt, at: now)
    case .released(let released): return IssuedTokens(released, to: client, at: now)
    }
  }

  // MARK: A new authority

  private func issue(
    _ plan: IssuancePlan, _ authorization: Authorization, _ descriptor: GrantDescriptor, _ client: Client,
    _ draft: AccessTokenIssuer.Draft, expiresAt: Timestamp, at now: Timestamp
  ) async throws(OAuthError) -> IssuedTokens {
    precondition(
      authorization.client == client.id, "a grant planned a token for another client than the authenticated one")
    try policy.require(scope: authorization.scope, audience: authorization.audience, within: client)

    let family = newFamily(plan, authorization, descriptor, client, expiresAt: expiresAt, at: now)
    let issuance = Issuance(
      authorization: authorization, accessToken: draft.record(expiresAt: expiresAt), family: family?.record,
      consumes: plan.consumes, restsOnConsent: plan.restsOnConsent, now: now)
    if issuance.isWorthRecording {
      switch try await asking({ () throws(StoreFailure) in try await store.issue(issuance) }) {
      case .issued: break
      case .alreadyUsed: throw .replayed
      case .notPermitted: throw .grantRefused
      }
    }
    return IssuedTokens(
      authorization: authorization, locator: draft.locator, family: family?.record.locator,
      accessToken: accessTokens.text(
        of: draft, authorization, family: family?.record.locator, issuedAt: now, expiresAt: expiresAt),
      expiresIn: expiresAt - now, refreshToken: family?.refreshToken.map(handles.text))
  }

  /// The family that a plan calls for: one with a refresh token where plan, descriptor, client and server all want it; one
  /// without when an artefact prescribes its id or the client speaks for somebody else, so that a replay, a withdrawn
  /// consent or a disabled account has something to revoke; else none.
  private func newFamily(
    _ plan: IssuancePlan, _ authorization: Authorization, _ descriptor: GrantDescriptor, _ client: Client,
    expiresAt: Timestamp, at now: Timestamp
  ) -> (record: NewFamily, refreshToken: Handle?)? {
    let isRefreshable =
      plan.wantsRefreshToken && descriptor.mayRefresh && client.grants.contains(.refreshToken)
      && registry.contains(.refreshToken)
    let isForItself = authorization.subject.rawValue == client.id.rawValue
    guard isRefreshable || plan.family != nil || !isForItself else { return nil }
    let locator = plan.family ?? handles.locator(at: now)
    guard isRefreshable else {
      // Outlives its access token and every artefact that could be presented again.
      let end = plan.consumes.map(\.expiresAt).max().map { max($0, expiresAt) } ?? expiresAt
      return (NewFamily(locator: locator, refreshHash: nil, idleExpiresAt: end, expiresAt: end), nil)
    }
    let token = handles.make(.refreshToken, locator: locator)
    let end = max(now + policy.refreshAbsolute, expiresAt)
    let idleEnd = min(now + policy.refreshIdle, end)
    return (NewFamily(locator: locator, refreshHash: token.secretHash, idleExpiresAt: idleEnd, expiresAt: end), token)
  }

  // MARK: The authority of a family

  private func refresh(
    _ refresh: FamilyRefresh, _ client: Client, _ draft: AccessTokenIssuer.Draft, expiresAt: Timestamp,
    at now: Timestamp
  ) async throws(OAuthError) -> IssuedTokens {
    try policy.require(scope: refresh.scope, audience: refresh.audience, within: client)
    let family = refresh.presented.locator
    let successor = handles.successor(of: refresh.presented)
    let use = RefreshUse(
      family: family, client: client.id, presentedHash: refresh.presented.secretHash,
      successorHash: successor.secretHash,
      scope: refresh.scope, audience: refresh.audience, accessToken: draft.record(expiresAt: expiresAt),
      grace: policy.refreshGrace, idleExpiresAt: now + policy.refreshIdle, now: now)
    switch try await asking({ () throws(StoreFailure) in try await store.refresh(use) }) {
    case .refused(let refusal): throw OAuthError(refusal)
    case .refreshed(var authorization, let familyExpiresAt):
      // The client may have lost a scope since the family began; the verifier limits opaque tokens alike.
      authorization.scope = authorization.scope.intersection(client.scopes)
      let expiresAt = min(expiresAt, familyExpiresAt)
      return IssuedTokens(
        authorization: authorization, locator: draft.locator, family: family,
        accessToken: accessTokens.text(of: draft, authorization, family: family, issuedAt: now, expiresAt: expiresAt),
        expiresIn: expiresAt - now, refreshToken: handles.text(of: successor))
    }
  }
}

extension Issuance {
  /// A JWT without family and artefacts leaves nothing to remember and rests on nothing that could be gone.
  fileprivate var isWorthRecording: Bool { accessToken != nil || family != nil || !consumes.isEmpty || restsOnConsent }
}

/// What one request yielded. Its description shows no token.
struct IssuedTokens: Sendable, CustomStringConvertible {
  let authorization: Authorization
  let locator: Locator
  let family: Locator?
  let accessToken: String
  let expiresIn: Duration
  let refreshToken: String?

  var description: String { "access token \(locator)" }

  /// As it is: no scope, life or constraint of Postern's says anything about it.
  fileprivate init(_ released: ReleasedToken, to client: Client, at now: Timestamp) {
    precondition(released.client == client.id, "a grant released a token to another client than the authenticated one")
    self.init(
      authorization: Authorization(subject: released.subject, client: client.id, scope: [], audience: []),
      locator: released.presented, family: nil, accessToken: released.token.accessToken.exposedText,
      expiresIn: max(.zero, released.token.expiresAt - now), refreshToken: nil)
  }

  init(
    authorization: Authorization, locator: Locator, family: Locator?, accessToken: String, expiresIn: Duration,
    refreshToken: String?
  ) {
    self.authorization = authorization
    self.locator = locator
    self.family = family
    self.accessToken = accessToken
    self.expiresIn = expiresIn
    self.refreshToken = refreshToken
  }

  private static let ownMembers: Set<String> = ["refresh_token", "scope"]

  /// Source: RFC 6749 §5.1. A grant's own members come last and replace none of these.
  func response(adding members: JSONObject) -> JSONObject {
    var response: JSONObject = [
      "access_token": .string(accessToken), "token_type": "Bearer",
      "expires_in": .integer(expiresIn.components.seconds),
    ]
    if let refreshToken { response["refresh_token"] = .string(refreshToken) }
    // RFC 6749 §3.3 has no empty scope: without any, the member is left out.
    if !authorization.scope.isEmpty { response["scope"] = .string(authorization.scope.description) }
    for (name, value) in members.members where response[name] == nil && !Self.ownMembers.contains(name) {
      response[name] = value
    }
    return response
  }
}

extension OAuthError {
  /// One sentence for every grant that does not hold, so that it says nothing about why.
  public static let grantRefused = OAuthError(
    .invalidGrant, "the grant is invalid, expired, revoked or not the client's")
  static let replayed = OAuthError(.invalidGrant, "the grant was used before")

  var isReplay: Bool { self == .replayed }

  /// Source: RFC 6749 §5.2; RFC 8707 §2.
  fileprivate init(_ refusal: RefreshRefusal) {
    switch refusal {
    case .invalid: self = .grantRefused
    case .reused: self = .replayed
    case .scopeExceeded: self.init(.invalidScope, "the scope exceeds what was granted")
    case .audienceExceeded: self.init(.invalidTarget, "the resource exceeds what was granted")
    }
  }
}
