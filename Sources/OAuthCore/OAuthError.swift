/// The caller's fault, in the words of the standard. `description` goes to the caller; it never holds a secret.
///
/// Source: RFC 6749 §5.2, §4.1.2.1; RFC 6750 §3.1; RFC 7009 §2.2.1; RFC 8707 §2;
/// OpenID Connect Core §3.1.2.6.
public struct OAuthError: Error, Sendable, Equatable {
  public enum Code: String, Sendable {
    case invalidRequest = "invalid_request"
    case invalidClient = "invalid_client"
    case invalidGrant = "invalid_grant"
    case unauthorizedClient = "unauthorized_client"
    case unsupportedGrantType = "unsupported_grant_type"
    case invalidScope = "invalid_scope"
    case invalidTarget = "invalid_target"
    case accessDenied = "access_denied"
    case unsupportedResponseType = "unsupported_response_type"
    case serverError = "server_error"
    case temporarilyUnavailable = "temporarily_unavailable"
    case loginRequired = "login_required"
    case consentRequired = "consent_required"
    case requestNotSupported = "request_not_supported"
    case requestURINotSupported = "request_uri_not_supported"
    case unsupportedTokenType = "unsupported_token_type"
  }

  public var code: Code
  public var description: String
  /// Seconds after which another try makes sense: `Retry-After`.
  public var retryAfter: Int?

  public init(_ code: Code, _ description: String, retryAfter: Int? = nil) {
    self.code = code
    self.description = description
    self.retryAfter = retryAfter
  }
}
