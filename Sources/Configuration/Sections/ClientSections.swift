import Broker
import Cryptography
import OAuthCore
import ReverseProxy

/// The scopes that some token can have: those the file describes, and those its machine clients have.
struct KnownScopes {
  let names: [String]

  init(declared: [ScopeDescription], clients: [Client]) {
    names = declared.map(\.scope.rawValue) + clients.flatMap { $0.scopes.scopes.map(\.rawValue) }
  }
}

extension YAMLValue {
  func clients(scopes: [ScopeDescription]?, grants: [GrantType]) -> [Client]? {
    var seen: Set<ClientID> = []
    return list { value in
      value.section { section in
        let id = section.required("id") { $0.clientID }
        if let id, !seen.insert(id).inserted { section.member("id")?.fault("there are two clients \"\(id)\"") }
        return section.client(id: id, scopes: scopes, grants: grants)
      }
    }
  }

  private var clientID: ClientID? {
    guard let id = text.map({ ClientID($0) }) else { return nil }
    if let objection = id.objection { return fault("\(path): \(objection)") }
    return id
  }

  /// A secret that guards a door: short ones can be guessed.
  func secret(bytesMin: Int) -> Secret? {
    guard let secret else { return nil }
    guard secret.count >= bytesMin else {
      return fault("\(path) must have at least \(bytesMin) characters; make one with: openssl rand -base64 32")
    }
    return secret
  }

  var redirectURI: String? {
    guard let text else { return nil }
    if let objection = RedirectURI.objection(to: text) { return fault("\(path) \(objection)") }
    return text
  }

  fileprivate var scope: Scope? {
    guard let text else { return nil }
    return Scope(text) ?? fault("\(path): \"\(text)\" is no scope (RFC 6749 §3.3)")
  }

  /// `resource` values. Source: RFC 8707 §2: absolute, without fragment.
  var audience: String? {
    guard let text else { return nil }
    guard ResourceIndicator.isWellFormed(text) else {
      return fault("\(path) must be an absolute URI without fragment (RFC 8707 §2)")
    }
    return text
  }
}

extension Section {
  fileprivate func client(id: ClientID?, scopes: [ScopeDescription]?, grants: [GrantType]) -> Client? {
    let name = optional("name") { $0.text }
    let secretValue = member("secret")
    let secret = secretValue?.secret(bytesMin: Section.clientSecretBytesMin)
    let authentication = optional("authentication", default: secretValue == nil ? .none : .clientSecretBasic) { value in
      value.choice(
        ClientAuthenticationMethod.allCases.map { ($0.rawValue, $0) },
        unavailable: ["private_key_jwt"])
    }
    let hasCertificate = member("certificate") != nil
    let certificateName = optional("certificate") { $0.section { $0.certificateName() } }
    let clientGrants = required("grants") { value in
      value.uniqueList { $0.grantType(among: grants) { "no grant \"\($0)\" is switched on under grants" } }
    }
    let redirectURIs = optional("redirect_uris", default: []) { $0.uniqueList { $0.redirectURI } }
    let needsConsent = clientGrants?.contains(.authorizationCode) == true
    let clientScopes = optional("scopes", default: []) { value in
      value.uniqueList { $0.clientScope(declared: needsConsent ? scopes : nil) }
    }
    let audiences = optional("audiences", default: []) { $0.uniqueList { $0.audience } }
    var format: AccessTokenFormat?
    var lifetime: Duration?
    var bindsTokens = false
    nested("access_token") { section in
      format = section.optional("format") { $0.choice(AccessTokenFormat.self) }
      lifetime = section.optional("lifetime") { $0.accessLifetime }
      section.replace(&bindsTokens, "certificate_bound") { $0.boolean }
    }

    guard let authentication, let clientGrants, let redirectURIs, hasCertificate == (certificateName != nil) else { return nil }
    if authentication == .tlsClientAuth {
      guard hasCertificate else {
        fault("\(value.path): tls_client_auth needs certificate, the name that the client's has")
        return nil
      }
      if secretValue != nil { fault("\(value.path): a client with tls_client_auth has no secret") }
    } else if hasCertificate {
      member("certificate")?.fault("\(value.path): certificate is for clients with authentication: tls_client_auth")
    } else if authentication != .none && secretValue == nil {
      fault("\(value.path): authentication \(authentication.rawValue) needs a secret")
    }
    if authentication == .none && secretValue != nil {
      fault("\(value.path): a client with a secret cannot have authentication none")
    }
    guard let id, let clientScopes, let audiences else { return nil }
    let client = Client(
      id: id, name: name ?? id.rawValue, authentication: authentication,
      // Nothing of the file is kept at rest, so the digest is not stretched: what could steal it has the secret already.
      secrets: secret.map { [.sha256(SHA256.digest($0))] } ?? [], certificateName: certificateName,
      grants: Set(clientGrants), redirectURIs: redirectURIs, scopes: ScopeSet(clientScopes), audiences: audiences,
      accessTokenFormat: format, accessTokenLifetime: lifetime, bindsTokens: bindsTokens, isConfigured: true)
    if let objection = client.objection(grants: grants) { fault("\(value.path): \(objection)") }
    return client
  }

  /// A secret that a person can choose and nobody can guess in the time the failure limits leave.
  private static let clientSecretBytesMin = 16
}

extension YAMLValue {
  /// - Parameter declared: the scopes that the consent page can explain; nil when nobody is asked.
  fileprivate func clientScope(declared: [ScopeDescription]?) -> Scope? {
    guard let scope else { return nil }
    guard let declared, !declared.contains(where: { $0.scope == scope }) else { return scope }
    return fault(
      "scope \"\(scope)\" is not declared under scopes, so the consent page could not explain it"
        + didYouMean(scope.rawValue, among: declared.map(\.scope.rawValue)))
  }
}
