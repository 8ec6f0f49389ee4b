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
    /// Source: RFC 7523 §2.1.
    case jwtBearer(assertion: Secret)
    /// Source: RFC 8693 §2.1.
    case tokenExchange(subjectToken: Secret)
  }

  let provider: Provider
  var grant = Grant.clientCredentials
  let deadline: Duration

  /// Everything that decides what the token is good for, without secrets: two requests that agree in it are answered
  /// with interchangeable tokens.
  var fingerprint: String {
    var parts = [provider.tokenEndpoint?.description ?? provider.issuer ?? "", provider.client.id]
    // What a user granted stands until the user grants something else.
    switch grant {
    case .authorizationCode, .refreshToken: break
    case .clientCredentials, .jwtBearer, .tokenExchange:
      parts += parameters.filter { !Self.proofs.contains($0.name) }.map { "\($0.name)=\($0.value)" }
    }
    if case .jwtBearer(let account) = provider.grant {
      parts += [account.issuer, account.subject, account.audience ?? ""]
    }
    return String(decoding: JSON.array(parts.map(JSON.string)).bytes, as: UTF8.self)
  }

  /// Different each time.
  private static let proofs: Set<String> = ["assertion", "subject_token"]

  var parameters: [(name: String, value: String)] {
    var form: [(name: String, value: String)]
    switch grant {
    case .clientCredentials:
      form = [("grant_type", "client_credentials")]
    case .jwtBearer(let assertion):
      form = [("grant_type", GrantType.jwtBearer.rawValue), ("assertion", assertion.exposedText)]
    case .tokenExchange(let subjectToken):
      form = [
        ("grant_type", GrantType.tokenExchange.rawValue), ("subject_token", subjectToken.exposedText),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
      ]
    case .authorizationCode(let code, let redirectURI, let verifier):
      form = [
        ("grant_type", "authorization_code"), ("code", code.exposedText), ("redirect_uri", redirectURI),
        ("code_verifier", verifier.exposedText),
      ]
      return form + resources
    case .refreshToken(let token):
      form = [("grant_type", "refresh_token"), ("refresh_token", token.exposedText)]
      return form + resources
    }
    if !provider.scopes.isEmpty { form.append(("scope", provider.scopes.joined(separator: provider.quirks.scopeSeparator))) }
    if let audience = provider.audience { form.append(("audience", audience)) }
    return form + resources
  }

  private var resources: [(name: String, value: String)] {
    provider.quirks.resourcesAt.contains(.token) ? provider.resources.map { ("resource", $0) } : []
  }
}
