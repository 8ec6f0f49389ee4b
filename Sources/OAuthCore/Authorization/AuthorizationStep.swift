/// What the browser is to see next.
public enum AuthorizationStep: Sendable, Equatable {
  /// Nobody may be redirected: client or redirect URI cannot be trusted.
  case errorPage(AuthorizationErrorPage)
  /// Where to send the browser, with a code or an error.
  case redirect(String)
  case needsSignIn(AuthorizationRequest)
  /// `missing`: what the resource owner has not allowed this client yet.
  case needsConsent(AuthorizationRequest, missing: ScopeSet)
}

/// An error told to the person, not to the client.
public struct AuthorizationErrorPage: Sendable, Equatable {
  public var status: Int
  public var error: OAuthError

  init(_ error: OAuthError) {
    self.error = error
    status = error.status == 401 ? 400 : error.status
  }
}

/// Where the answer to a request goes; exists only once client and redirect URI are trusted.
struct AuthorizationResponder: Sendable {
  let issuer: String
  let redirectURI: String
  let state: String?

  /// Source: RFC 6749 §4.1.2.
  func redirect(code: String) -> AuthorizationStep { redirect([("code", code)]) }

  /// Source: RFC 6749 §4.1.2.1.
  func redirect(_ error: OAuthError) -> AuthorizationStep {
    redirect([("error", error.code.rawValue), ("error_description", error.description)])
  }

  private func redirect(_ parameters: [(name: String, value: String)]) -> AuthorizationStep {
    var parameters = parameters
    if let state { parameters.append(("state", state)) }
    // RFC 9207 §2: in every authorization response, errors included.
    parameters.append(("iss", issuer))
    return .redirect(redirectURI + separator + PercentEncoding.form(parameters))
  }

  /// The redirect URI's own query is kept. Source: RFC 6749 §3.1.2.
  private var separator: String {
    guard redirectURI.utf8.contains(UInt8(ascii: "?")) else { return "?" }
    return redirectURI.hasSuffix("?") || redirectURI.hasSuffix("&") ? "" : "&"
  }
}
