import Cryptography
import JSON
import OAuthCore

/// One request to a provider's token endpoint.
struct TokenRequest: Sendable {
  enum Grant: Sendable {
    /// Postern's own token. Source: RFC 6749 §4.4.2.
    case clientCredentials
    /// Source: RFC 6749 §4.1.3; RFC 7636 §4.5.
    case authorizationCode(Secret, redirectURI: String, verifier: Secret)
    /// Without `scope`: what was granted stays. Source: RFC 6749 §6.
    case refreshToken(Secret)
  }

  let provider: Provider
  var grant = Grant.clientCredentials
  let deadline: Duration

  var http: ProviderRequest {
    provider.authenticatedRequest(to: provider.tokenEndpoint, parameters, deadline: deadline)
  }

  /// Everything that decides what the token is good for, without secrets: two requests that agree in it are answered
  /// with interchangeable tokens.
  var fingerprint: String {
    var parts = [provider.tokenEndpoint.description, provider.client.id]
    // What a user granted stands until the user grants something else.
    if case .clientCredentials = grant { parts += parameters.map { "\($0.name)=\($0.value)" } }
    return String(decoding: JSON.array(parts.map(JSON.string)).bytes, as: UTF8.self)
  }

  private var parameters: [(name: String, value: String)] {
    var form: [(name: String, value: String)]
    switch grant {
    case .clientCredentials:
      form = [("grant_type", "client_credentials")]
    case .authorizationCode(let code, let redirectURI, let verifier):
      form = [
        ("grant_type", "authorization_code"), ("code", code.exposedText), ("redirect_uri", redirectURI),
        ("code_verifier", verifier.exposedText),
      ]
      return form + provider.resources.map { ("resource", $0) }
    case .refreshToken(let token):
      form = [("grant_type", "refresh_token"), ("refresh_token", token.exposedText)]
      return form + provider.resources.map { ("resource", $0) }
    }
    if !provider.scopes.isEmpty { form.append(("scope", provider.scopes.joined(separator: provider.scopeSeparator))) }
    if let audience = provider.audience { form.append(("audience", audience)) }
    form += provider.resources.map { ("resource", $0) }
    return form
  }
}

extension Provider {
  /// A form to one of the provider's endpoints, as the client that Postern is there.
  func authenticatedRequest(
    to url: EndpointURL, _ parameters: [(name: String, value: String)], deadline: Duration
  ) -> ProviderRequest {
    var request = client.authenticatedRequest(to: url, parameters, deadline: deadline)
    request.allowHTTP = allowHTTP
    request.allowPrivateAddresses = allowPrivateAddresses
    return request
  }
}

extension ProviderClient {
  /// A form by which this client authenticates itself. Source: RFC 6749 §2.3.1.
  public func authenticatedRequest(
    to url: EndpointURL, _ parameters: [(name: String, value: String)], deadline: Duration
  ) -> ProviderRequest {
    var form = parameters
    var authorization: Secret?
    switch authentication {
    case .basic: authorization = basicAuthorization
    case .post: form += [("client_id", id), ("client_secret", secret.exposedText)]
    }
    return ProviderRequest(
      url: url, authorization: authorization, form: Secret(PercentEncoding.form(form)), deadline: deadline)
  }

  /// Identifier and secret are form-encoded before they are joined. Source: RFC 6749 §2.3.1.
  private var basicAuthorization: Secret {
    let pair = PercentEncoding.encode(id) + ":" + PercentEncoding.encode(secret.exposedText)
    return Secret("Basic " + Base64.encode(Array(pair.utf8)))
  }
}
