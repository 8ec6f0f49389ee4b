import Cryptography
import OAuthCore

extension ProviderClient {
  /// A form by which this client authenticates itself. Source: RFC 6749 §2.3.1; RFC 7521 §4.2.
  ///
  /// - Parameter assertion: of a client with a key; required there.
  public func authenticatedRequest(
    to url: EndpointURL, _ parameters: [(name: String, value: String)], assertion: Secret? = nil, deadline: Duration
  ) -> ProviderRequest {
    var form = parameters
    var authorization: Secret?
    switch authentication {
    case .basic: authorization = basicAuthorization
    case .none: form = id.isEmpty ? form : identified(form)
    case .post: form = identified(form) + [("client_secret", secret.exposedText)]
    case .privateKeyJWT:
      guard let assertion else { preconditionFailure("a client with a key brings an assertion") }
      form = identified(form) + [
        ("client_assertion_type", ClientAssertion.type), ("client_assertion", assertion.exposedText),
      ]
    }
    return ProviderRequest(
      url: url, authorization: authorization, form: Secret(PercentEncoding.form(form)), deadline: deadline)
  }

  /// A pushed request names its client already, and no parameter may be there twice. Source: RFC 6749 §3.2; RFC 9126 §2.1.
  private func identified(_ form: [(name: String, value: String)]) -> [(name: String, value: String)] {
    form.contains { $0.name == "client_id" } ? form : form + [("client_id", id)]
  }

  /// Identifier and secret are form-encoded before they are joined. Source: RFC 6749 §2.3.1.
  private var basicAuthorization: Secret {
    let pair = PercentEncoding.encode(id) + ":" + PercentEncoding.encode(secret.exposedText)
    return Secret("Basic " + Base64.encode(Array(pair.utf8)))
  }
}
