import OAuthCore

/// The client speaks for itself. Source: RFC 6749 §4.4.
///
/// Confidential clients only, and no refresh token (§4.4.3): the client can always authenticate again.
public struct ClientCredentialsGrant: GrantHandler {
  public struct Request: Sendable {
    let scope: ScopeSet?
    let resources: [String]
  }

  public let descriptor = GrantDescriptor(
    grantType: .clientCredentials, parameters: [.scope, .resource], clientAuthentication: .confidentialOnly)

  public init() {}

  public func parse(_ form: GrantForm) throws(OAuthError) -> Request {
    Request(scope: try form.scope(), resources: try form.resources())
  }

  public func plan(_ request: Request, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan {
    let client = context.client
    // RFC 9068 §2.2: without a resource owner, the subject is the client.
    return IssuancePlan(
      .decided(
        Authorization(
          subject: Subject(client.id.rawValue), client: client.id, scope: request.scope ?? client.scopes,
          audience: request.resources)))
  }
}
