import Broker
import OAuthCore

extension Section {
  /// How tokens are obtained of a provider where users connect nothing.
  ///
  /// - Parameter type: nil: faulty.
  /// - Returns: nil when it is faulty.
  func providerGrant(_ type: GrantType?) -> ProviderGrant? {
    guard type == .jwtBearer else {
      let account = member("service_account")
      if type != nil { account?.fault("service_account is for providers with grant: jwt_bearer") }
      return type == .tokenExchange ? .tokenExchange : .clientCredentials
    }
    return required("service_account", "which signs the assertions") { $0.section { $0.serviceAccount } }
      .map { .jwtBearer($0) }
  }

  private var serviceAccount: ServiceAccount? {
    let issuer = required("issuer") { $0.text }
    let hasSubject = member("subject") != nil
    let subject = optional("subject") { $0.text }
    let hasAudience = member("audience") != nil
    let audience = optional("audience") { $0.text }
    let key = required("private_key", "a private JWK, P-256 or Ed25519, as a secret") { $0.assertionKey }
    guard let issuer, let key, hasSubject == (subject != nil), hasAudience == (audience != nil) else { return nil }
    return ServiceAccount(issuer: issuer, subject: subject, audience: audience, key: key)
  }

  /// What may become of a provider's tokens.
  func tokenRelease(for type: GrantType?) -> TokenRelease? {
    optional("release", default: .proxyOnly) { value in
      let release = value.choice(TokenRelease.allCases.map { ($0.rawValue, $0) })
      if release == .tokenExchange, let type, type != .authorizationCode {
        return value.fault("release: token_exchange is for what users connect, at providers with grant: authorization_code")
      }
      return release
    }
  }
}
