import OAuthCore

/// A refresh token, exchanged for a new access token and its own successor. Source: RFC 6749 §6; RFC 9700 §4.14.
///
/// The handler reads the token; whose it is, whether it is current and what it may yield are predicates of the statement.
public struct RefreshTokenGrant: GrantHandler {
  public struct Request: Sendable {
    let token: Handle
    let scope: ScopeSet?
    let resources: [String]
  }

  public let descriptor = GrantDescriptor(
    grantType: .refreshToken,
    parameters: [
      GrantParameter("refresh_token", .required, byteCountMax: 512, isSensitive: true), .scope, .resource,
    ],
    mayRefresh: true)

  private let handles: HandleMint

  public init(handles: HandleMint) { self.handles = handles }

  public func parse(_ form: GrantForm) throws(OAuthError) -> Request {
    guard let text = form["refresh_token"] else {
      throw OAuthError(.invalidRequest, "a parameter is missing: refresh_token")
    }
    // Garbage, and what this server never made, ends here without a query.
    guard let token = handles.parse(text, .refreshToken) else { throw .grantRefused }
    return Request(token: token, scope: try form.scope(), resources: try form.resources())
  }

  public func plan(_ request: Request, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan {
    IssuancePlan(
      .family(
        FamilyRefresh(
          presented: request.token, scope: request.scope, audience: request.resources.isEmpty ? nil : request.resources)
      ),
      wantsRefreshToken: true)
  }
}
