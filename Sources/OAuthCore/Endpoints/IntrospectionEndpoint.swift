import Cryptography
import JSON

/// Says what a token stands for, to confidential clients. Source: RFC 7662.
public struct IntrospectionEndpoint: Sendable {
  private let authenticator: ClientAuthenticator
  private let verifier: AccessTokenVerifier
  private let handles: HandleMint
  private let store: any TokenStore
  private let issuer: String
  private let clock: any WallClock

  public init(
    authenticator: ClientAuthenticator, verifier: AccessTokenVerifier, handles: HandleMint, store: any TokenStore,
    issuer: String, clock: any WallClock
  ) {
    self.authenticator = authenticator
    self.verifier = verifier
    self.handles = handles
    self.store = store
    self.issuer = issuer
    self.clock = clock
  }

  /// Answers one request. A token that is no good, for whatever reason, is `{"active":false}` and nothing more.
  ///
  /// `token_type_hint` is not needed: a token shows its own kind (RFC 7662 §2.1 lets a server ignore it).
  public func respond(to request: ClientRequest) async -> EndpointResponse {
    let now = clock.now
    do throws(OAuthError) {
      let form = try request.form()
      try requireUnrepeated(form)
      let caller = try await authenticator.authenticate(request, form, at: now)
      // RFC 7662 §2.1: the caller must be authorized, or anybody could try tokens here.
      guard !caller.isPublic else { throw OAuthError.clientAuthenticationFailed }
      guard let token = form["token"] else { throw OAuthError(.invalidRequest, "a parameter is missing: token") }
      return .json(try await state(of: token, for: caller, at: now))
    } catch {
      return EndpointResponse(error)
    }
  }

  private func state(of token: String, for caller: Client, at now: Timestamp) async throws(OAuthError) -> JSONObject {
    do throws(StoreFailure) {
      if let refreshToken = handles.parse(token, .refreshToken) {
        return try await state(of: refreshToken, for: caller, at: now)
      }
      guard let facts = try await verifier.verify(Array(token.utf8)) else { return Self.inactive }
      return members(
        facts.authorization, expiresAt: facts.expiresAt, issuedAt: facts.issuedAt, id: facts.locator,
        tokenType: "Bearer")
    } catch {
      throw OAuthError(error)
    }
  }

  /// A refresh token is only its own client's business.
  private func state(of token: Handle, for caller: Client, at now: Timestamp) async throws(StoreFailure) -> JSONObject {
    guard
      let family = try await store.family(token.locator), !family.isRevoked, family.refreshHash == token.secretHash,
      now < family.idleExpiresAt, now < family.expiresAt, family.authorization.client == caller.id
    else { return Self.inactive }
    return members(
      family.authorization, expiresAt: min(family.idleExpiresAt, family.expiresAt), issuedAt: nil, id: nil,
      tokenType: nil)
  }

  private static let inactive: JSONObject = ["active": false]

  /// Source: RFC 7662 §2.2.
  private func members(
    _ authorization: Authorization, expiresAt: Timestamp, issuedAt: Timestamp?, id: Locator?, tokenType: String?
  ) -> JSONObject {
    var members: JSONObject = [
      "active": true,
      "iss": .string(issuer),
      "sub": .string(authorization.subject.rawValue),
      "client_id": .string(authorization.client.rawValue),
      "exp": .integer(expiresAt.seconds),
    ]
    if !authorization.scope.isEmpty { members["scope"] = .string(authorization.scope.description) }
    if !authorization.audience.isEmpty { members["aud"] = .array(authorization.audience.map(JSON.string)) }
    if let issuedAt { members["iat"] = .integer(issuedAt.seconds) }
    if let id { members["jti"] = .string(Base64URL.encode(id.bytes)) }
    if let tokenType { members["token_type"] = .string(tokenType) }
    if let authenticatedAt = authorization.authenticatedAt { members["auth_time"] = .integer(authenticatedAt.seconds) }
    for (name, value) in AccessTokenJWT.grantClaims(authorization.claims).members where members[name] == nil {
      members[name] = value
    }
    return members
  }
}

/// Source: RFC 6749 §3.2, which the other endpoints of a client's follow.
func requireUnrepeated(_ form: Form) throws(OAuthError) {
  if let name = form.repeated(except: { _ in false }) {
    throw OAuthError(.invalidRequest, "a parameter is included more than once: \(legible(name))")
  }
}
