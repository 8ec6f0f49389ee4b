import OAuthCore

extension Provider {
  /// Where the browser is sent to ask its user. Source: RFC 6749 §4.1.1; RFC 7636 §4.3.
  ///
  /// - Parameter challenge: `code_challenge` of method `S256`.
  func authorizationURL(
    _ authorization: ProviderAuthorization, redirectURI: String, state: String, challenge: String
  ) -> String {
    var parameters: [(name: String, value: String)] = [
      ("response_type", "code"), ("client_id", client.id), ("redirect_uri", redirectURI), ("state", state),
      ("code_challenge", challenge), ("code_challenge_method", "S256"),
    ]
    if !scopes.isEmpty { parameters.append(("scope", scopes.joined(separator: scopeSeparator))) }
    if let audience { parameters.append(("audience", audience)) }
    parameters += resources.map { ("resource", $0) }
    // An endpoint may have a query of its own, which must be kept. Source: RFC 6749 §3.1.
    let endpoint = authorization.endpoint.description
    return endpoint + (endpoint.contains("?") ? "&" : "?") + PercentEncoding.form(parameters)
  }
}
