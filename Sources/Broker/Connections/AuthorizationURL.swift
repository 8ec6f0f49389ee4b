import Cryptography
import OAuthCore

/// What the browser, or the request that is pushed ahead of it, says to a provider's authorization endpoint.
struct AuthorizationParameters: Sendable {
  let redirectURI: String
  let state: String
  let secrets: ConnectSecrets

  /// Source: RFC 6749 §4.1.1; RFC 7636 §4.3; OpenID Connect Core §3.1.2.1.
  func pairs(for provider: Provider) -> [(name: String, value: String)] {
    var pairs: [(name: String, value: String)] = [
      ("response_type", "code"), ("client_id", provider.client.id), ("redirect_uri", redirectURI), ("state", state),
      ("code_challenge", Base64URL.encode(SHA256.digest(secrets.verifier.exposedBytes).bytes)),
      ("code_challenge_method", "S256"),
    ]
    if let nonce = secrets.nonce { pairs.append(("nonce", nonce)) }
    let quirks = provider.quirks
    if !provider.scopes.isEmpty {
      pairs.append((quirks.scopeParameter, provider.scopes.joined(separator: quirks.scopeSeparator)))
    }
    if let audience = provider.audience { pairs.append(("audience", audience)) }
    if quirks.resourcesAt.contains(.authorization) { pairs += provider.resources.map { ("resource", $0) } }
    return pairs + quirks.authorizeParameters.map { ($0.name, $0.value) }
  }
}

extension EndpointURL {
  /// An endpoint may have a query of its own, which must be kept. Source: RFC 6749 §3.1.
  func adding(_ parameters: [(name: String, value: String)]) -> String {
    description + (target.contains("?") ? "&" : "?") + PercentEncoding.form(parameters)
  }
}
