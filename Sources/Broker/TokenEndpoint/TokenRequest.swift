import Cryptography
import JSON
import OAuthCore

/// The request for Postern's own token at a provider. Source: RFC 6749 §4.4.2.
struct TokenRequest: Sendable {
  let provider: Provider
  let deadline: Duration

  var http: ProviderRequest {
    var form = parameters
    var authorization: Secret?
    switch provider.client.authentication {
    case .basic:
      authorization = basicAuthorization
    case .post:
      form += [("client_id", provider.client.id), ("client_secret", provider.client.secret.exposedText)]
    }
    return ProviderRequest(
      url: provider.tokenEndpoint, authorization: authorization, form: Secret(PercentEncoding.form(form)),
      allowHTTP: provider.allowHTTP, allowPrivateAddresses: provider.allowPrivateAddresses, deadline: deadline)
  }

  /// Everything that decides what the token is good for, without secrets: two requests that agree in it are answered
  /// with interchangeable tokens.
  var fingerprint: String {
    let parts = [provider.tokenEndpoint.description, provider.client.id] + parameters.map { "\($0.name)=\($0.value)" }
    return String(decoding: JSON.array(parts.map(JSON.string)).bytes, as: UTF8.self)
  }

  private var parameters: [(name: String, value: String)] {
    var form: [(name: String, value: String)] = [("grant_type", "client_credentials")]
    if !provider.scopes.isEmpty { form.append(("scope", provider.scopes.joined(separator: provider.scopeSeparator))) }
    if let audience = provider.audience { form.append(("audience", audience)) }
    form += provider.resources.map { ("resource", $0) }
    return form
  }

  /// Identifier and secret are form-encoded before they are joined. Source: RFC 6749 §2.3.1.
  private var basicAuthorization: Secret {
    let id = PercentEncoding.encode(provider.client.id)
    let secret = PercentEncoding.encode(provider.client.secret.exposedText)
    return Secret("Basic " + Base64.encode(Array("\(id):\(secret)".utf8)))
  }
}
