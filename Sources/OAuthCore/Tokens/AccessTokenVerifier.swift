import Cryptography
import JSON

/// Finds out what an access token says, whatever its format. Used by introspection and, on a cache miss, by the gateway.
public struct AccessTokenVerifier: Sendable {
  private let issuer: String
  private let handles: HandleMint
  private let store: any TokenStore
  private let clients: any ClientDirectory
  private let signingKeys: SigningKeys
  private let revocations: RevocationSet
  private let freshness: any Freshness
  private let reach = StoreReach()
  private let clock: any WallClock

  /// - Parameter freshness: whether `revocations` hears of changes in time.
  public init(
    issuer: String, handles: HandleMint, store: any TokenStore, clients: any ClientDirectory, signingKeys: SigningKeys,
    revocations: RevocationSet, freshness: any Freshness = AlwaysFresh(), clock: any WallClock
  ) {
    self.issuer = issuer
    self.handles = handles
    self.store = store
    self.clients = clients
    self.signingKeys = signingKeys
    self.revocations = revocations
    self.freshness = freshness
    self.clock = clock
  }

  /// - Parameter token: as the bearer presented it; any bytes.
  /// - Returns: nil unless this server issued the token, it has not expired, and neither it, its family nor its client was
  ///   ended.
  /// - Throws: when the store is needed and does not answer. A JWT that was made while this process listened for
  ///   revocations can do without it.
  public func verify(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts? {
    token.first == UInt8(ascii: "p") ? try await verifyOpaque(token) : try await verifyJWT(token)
  }

  /// Asks again about a token that this server verified before, by its facts.
  ///
  /// - Returns: the facts as they are now; nil when the token, its family or its client was ended, or the key that signed it
  ///   is no longer trusted. That it has expired meanwhile is no reason.
  /// - Throws: as `verify` does.
  public func confirm(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts? {
    if let keyID = facts.keyID {
      return signingKeys.published.keys.contains { $0.id == keyID } ? try await current(facts) : nil
    }
    // The store knows an expired token no more: it is asked about the last moment the token lived.
    let moment = min(clock.now, facts.expiresAt - .microseconds(1))
    guard let stored = try await store.accessToken(facts.locator, at: moment), stored.secretHash == facts.secretHash
    else { return nil }
    return try await limited(facts)
  }

  // MARK: Opaque

  private func verifyOpaque(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts? {
    let read = token.withUnsafeBytes { text -> (Locator, Digest256)? in
      guard handles.verifyTag(text, .accessToken) else { return nil }
      return HandleLayout.locatorAndHash(text, .accessToken)
    }
    guard let (locator, secretHash) = read,
      let stored = try await store.accessToken(locator, at: clock.now), stored.secretHash == secretHash
    else { return nil }
    let facts = TokenFacts(
      authorization: stored.authorization, family: stored.family, locator: locator, issuedAt: locator.createdAt,
      expiresAt: stored.expiresAt, secretHash: secretHash)
    return try await limited(facts)
  }

  /// The facts within what the client is registered for by now; nil when it is gone or disabled.
  private func limited(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts? {
    guard let client = try await clients.client(facts.client), !client.isDisabled else { return nil }
    var facts = facts
    facts.authorization.scope = facts.scope.intersection(client.scopes)
    return facts
  }

  // MARK: JWT

  private func verifyJWT(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts? {
    guard let facts = signedFacts(token) else { return nil }
    return try await current(facts)
  }

  /// The facts of a genuine JWT, as its client has them now; nil when it was ended.
  ///
  /// No store is needed while changes reach this process. While they may not, the store is asked; if it is out of reach, too,
  /// what was heard before and the signature are enough, so that JWTs outlive the database.
  private func current(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts? {
    if freshness.isFresh {
      reach.reset()
    } else if reach.mayAsk(at: clock.now) {
      do {
        let answer = try await judged(facts, asksAlways: true)
        reach.note(hasAnswered: true, at: clock.now)
        return answer
      } catch {
        reach.note(hasAnswered: false, at: clock.now)
      }
    }
    return try await judged(facts, asksAlways: false)
  }

  /// - Parameter asksAlways: whether the store and the directory are asked though nothing was heard against the token.
  private func judged(_ signed: TokenFacts, asksAlways: Bool) async throws(StoreFailure) -> TokenFacts? {
    var facts = signed
    if asksAlways || revocations.mayHaveChanged(facts.client, since: facts.locator.createdAt) {
      guard let limited = try await limited(facts) else { return nil }
      facts = limited
    }
    switch revocations.answer(token: facts.locator, family: facts.family) {
    case .revoked: return nil
    case .clear where !asksAlways: return facts
    case .clear, .unknown: return try await store.isRevoked(jwtID: facts.locator, family: facts.family) ? nil : facts
    }
  }

  /// What the signature vouches for. Source: RFC 9068 §4; RFC 8725 §3.
  func signedFacts(_ token: [UInt8]) -> TokenFacts? {
    guard token.count <= AccessTokenJWT.byteCountMax, let text = String(validating: token, as: UTF8.self) else {
      return nil
    }
    let expectation = JWTExpectation(type: AccessTokenJWT.type, issuer: issuer, audiences: nil)
    guard
      let jwt = try? JWT.verify(text, with: signingKeys.verifying, expecting: expectation, now: clock.now.seconds),
      let subject = jwt.claims["sub"]?.string, let client = jwt.claims["client_id"]?.string,
      let scope = scope(jwt.claims["scope"]),
      let issuedAt = jwt.claims["iat"]?.integer, let expiresAt = jwt.claims["exp"]?.integer,
      let id = locator(jwt.claims["jti"]), let audience = audience(jwt.claims["aud"])
    else { return nil }
    let familyClaim = jwt.claims[AccessTokenJWT.familyClaim]
    let family = locator(familyClaim)
    guard familyClaim == nil || family != nil else { return nil }
    return TokenFacts(
      authorization: Authorization(
        subject: Subject(subject), client: ClientID(client), scope: scope, audience: audience,
        authenticatedAt: jwt.claims["auth_time"]?.integer.map { Timestamp(seconds: $0) },
        claims: AccessTokenJWT.grantClaims(jwt.claims)),
      family: family, locator: id, issuedAt: Timestamp(seconds: issuedAt), expiresAt: Timestamp(seconds: expiresAt),
      secretHash: SHA256.digest(token), keyID: jwt.keyID)
  }

  /// Absent when nothing was granted.
  private func scope(_ claim: JSON?) -> ScopeSet? {
    guard let claim else { return ScopeSet() }
    return claim.string.flatMap { ScopeSet(parameter: $0) }
  }

  private func locator(_ claim: JSON?) -> Locator? {
    claim?.string.flatMap { Base64URL.decode($0) }.flatMap { Locator(bytes: $0) }
  }

  /// Without the issuer itself, which stands for "no resource was named".
  private func audience(_ claim: JSON?) -> [String]? {
    guard let claim, let audience = claim.string.map({ [$0] }) ?? claim.strings else { return nil }
    return audience == [issuer] ? [] : audience
  }
}
