import OAuthCore

/// A client that speaks for a user gets the token of what this user has connected at a provider: Postern's vault.
///
/// Denied unless everything allows it: the client has the grant, the subject token was issued to this very client for a
/// user and for no other resource, and the provider's tokens may be released. Source: RFC 8693 §2.
public struct TokenExchangeGrant: GrantHandler {
  public static let grantType = GrantType.tokenExchange
  /// `subject_token_type` and `issued_token_type`. Source: RFC 8693 §3.
  static let accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

  public struct Request: Sendable {
    let subjectToken: String
    /// The name of the provider.
    let audience: String
  }

  public let descriptor = GrantDescriptor(
    grantType: grantType,
    parameters: [
      GrantParameter("subject_token", .required, byteCountMax: 8 * 1024, isSensitive: true),
      GrantParameter("subject_token_type", .required), GrantParameter("audience", .repeatable),
      GrantParameter("requested_token_type", .optional), GrantParameter("actor_token", .optional, isSensitive: true),
      GrantParameter("actor_token_type", .optional), .scope, .resource,
    ],
    clientAuthentication: .confidentialOnly)

  private let tokens: AccessTokenVerifier
  private let vault: any TokenVault

  public init(tokens: AccessTokenVerifier, vault: any TokenVault) {
    self.tokens = tokens
    self.vault = vault
  }

  public func parse(_ form: GrantForm) throws(OAuthError) -> Request {
    guard let subjectToken = form["subject_token"], form["subject_token_type"] == Self.accessTokenType else {
      throw OAuthError(.invalidRequest, "the subject token must be an access token of this server")
    }
    guard form["requested_token_type"] ?? Self.accessTokenType == Self.accessTokenType else {
      throw OAuthError(.invalidRequest, "only access tokens are given")
    }
    guard form["actor_token"] == nil, form["actor_token_type"] == nil else {
      throw OAuthError(.invalidRequest, "a client acts for itself here: no actor token is taken")
    }
    // What the user has granted the provider stands; to pretend that it can be narrowed would be a lie.
    guard form["scope"] == nil else { throw OAuthError(.invalidScope, "the scope is what the user has connected") }
    let audiences = form.all("audience")
    guard audiences.count == 1, form.all("resource").isEmpty else {
      throw OAuthError(.invalidTarget, "the audience is the name of one provider")
    }
    return Request(subjectToken: subjectToken, audience: audiences[0])
  }

  public func plan(_ request: Request, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan {
    let facts: TokenFacts?
    do { facts = try await tokens.verify(Array(request.subjectToken.utf8)) } catch { throw OAuthError(error) }
    // One sentence for all, so that it says nothing of a token that is somebody else's. Source: RFC 8693 §2.2.2.
    guard let facts, facts.client == context.client.id, facts.subject.rawValue != facts.client.rawValue,
      facts.audience.isEmpty || facts.audience == [context.issuer]
    else { throw OAuthError(.invalidRequest, "the subject token is not valid here") }
    let token = try await vault.release(request.audience, to: context.client.id, for: facts.subject)
    return IssuancePlan(
      .released(ReleasedToken(subject: facts.subject, client: context.client.id, presented: facts.locator, token: token)),
      responseMembers: ["issued_token_type": .string(Self.accessTokenType)])
  }
}
