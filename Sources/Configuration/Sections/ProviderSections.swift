import Broker
import NetworkAddress
import OAuthCore
import ReverseProxy

extension YAMLValue {
  var providers: Declarations<Provider>? {
    var declarations = Declarations<Provider>()
    _ = members { name, key, value in
      _ = key.identifier
      let provider = value.section { $0.provider(ProviderID(name)) }
      declarations.add(name, provider)
      return provider
    }
    return declarations
  }

  /// What Postern is to a provider.
  ///
  /// - Parameters:
  ///   - keys: whether a key may stand for the secret.
  ///   - usual: how such a client authenticates itself unless it says otherwise.
  func providerClient(keys: Bool = true, usual: ProviderClient.Authentication = .basic) -> ProviderClient? {
    section { section in
      let id = section.required("id") { $0.text }
      let authentication = section.optional("authentication", default: usual) { value in
        value.choice(
          ProviderClient.Authentication.allCases.filter { $0 != .none && (keys || $0 != .privateKeyJWT) }.map { ($0.rawValue, $0) },
          unavailable: (keys ? [] : ["private_key_jwt"]) + ["tls_client_auth", "none"])
      }
      guard authentication == .privateKeyJWT else {
        let secret = section.required("secret") { $0.secret }
        section.member("private_key")?.fault("private_key is for clients with authentication: private_key_jwt")
        guard let id, let secret, let authentication else { return nil }
        return ProviderClient(id: id, secret: secret, authentication: authentication)
      }
      let key = section.required("private_key", "a private JWK, P-256 or Ed25519, as a secret") { $0.assertionKey }
      section.member("secret")?.fault("\(section.value.path): private_key_jwt has a private_key and no secret")
      guard let id, let key else { return nil }
      return ProviderClient(id: id, key: key)
    }
  }

  var assertionKey: AssertionKey? {
    guard let secret else { return nil }
    guard let key = try? AssertionKey(parsing: secret) else {
      return fault("\(path) must be a private JWK (RFC 7517) of type P-256 or Ed25519")
    }
    return key
  }

  var endpointURL: EndpointURL? {
    guard let text else { return nil }
    return EndpointURL(text) ?? fault("\(path) must be an absolute http or https URL, not \"\(text)\"")
  }

  /// A host without port, lower case.
  var hostName: String? {
    guard let text else { return nil }
    guard Authority.isHostName(text) || IPAddress(text) != nil else {
      return fault("\(path) must be a host name or an address, without scheme and port, not \"\(text)\"")
    }
    return text.lowercased()
  }
}

extension Section {
  fileprivate func provider(_ id: ProviderID) -> Provider? {
    fallback = optional("preset") { $0.providerPreset }
    let usual = fallback?["authentication"]?.string.flatMap(ProviderClient.Authentication.init(rawValue:)) ?? .basic
    let issuer = optional("issuer") { value in
      value.endpointURL.flatMap { _ in value.text }
    }
    let isDiscovered = issuer != nil
    let endpoint = endpoint("token_endpoint", isRequired: !isDiscovered)
    let keySet = optional("jwks_uri") { $0.endpointURL }
    let grant = required("grant") { value in
      value.choice(
        [
          ("client_credentials", GrantType.clientCredentials), ("authorization_code", .authorizationCode),
          ("token_exchange", .tokenExchange), ("jwt_bearer", .jwtBearer),
        ])
    }
    // A service account's assertion says who asks.
    let client = grant == .jwtBearer
      ? optional("client", default: ProviderClient(unauthenticated: "")) { $0.providerClient(usual: usual) }
      : required("client") { $0.providerClient(usual: usual) }
    let authorization = authorization(for: grant, isDiscovered: isDiscovered)
    let ownGrant = providerGrant(grant)
    let release = tokenRelease(for: grant)
    let defaultLifetime = optional("default_lifetime", default: Provider.lifetimeWhenUnnamed) { value in
      value.duration(in: .seconds(30) ... RenewalMargins.lifetimeMax)
    }
    let scopes = optional("scopes", default: []) { $0.uniqueList { $0.text } }
    let allowedHosts = required("allowed_hosts", "the only hosts that this provider's tokens are sent to") { value in
      value.uniqueList { $0.hostName }
    }
    let audience = optional("audience") { $0.text }
    let resources = optional("resources", default: []) { $0.uniqueList { $0.text } }
    let quirks = providerQuirks
    var allowHTTP = false
    var allowPrivateAddresses = false
    nested("development") { section in
      section.replace(&allowHTTP, "allow_http") { $0.boolean }
      section.replace(&allowPrivateAddresses, "allow_private_addresses") { $0.boolean }
    }
    if id.rawValue.allSatisfy({ $0 == "." }) {
      fault("\(value.path): a provider's name is part of an address and needs a letter or a digit")
    }
    if scopes?.contains("openid") == true, grant == .authorizationCode, issuer == nil, member("issuer") == nil {
      member("scopes")?.fault("\(value.path): openid needs an issuer, which ID tokens are checked against")
    }
    for (key, url) in [
      ("issuer", issuer.flatMap { EndpointURL($0) }), ("token_endpoint", endpoint), ("jwks_uri", keySet),
      ("authorization_endpoint", authorization?.endpoint), ("revocation_endpoint", authorization?.revocationEndpoint),
    ] where url?.scheme == .http && !allowHTTP {
      member(key)?.fault(
        "\(value.path): secrets and tokens would travel in clear; use https, or development: { allow_http: true }")
    }
    guard endpoint != nil || issuer != nil, let client, let grant, let scopes, let resources, let quirks, let allowedHosts,
      let defaultLifetime, let ownGrant, let release
    else { return nil }
    if grant == .authorizationCode, authorization == nil { return nil }
    return Provider(
      id: id, issuer: issuer, tokenEndpoint: endpoint, keySetURL: keySet, client: client, scopes: scopes,
      audience: audience, resources: resources, allowedHosts: allowedHosts, allowHTTP: allowHTTP, allowPrivateAddresses: allowPrivateAddresses,
      defaultLifetime: defaultLifetime, authorization: authorization, grant: ownGrant, release: release, quirks: quirks)
  }

  /// An endpoint that the metadata of an issuer can tell.
  private func endpoint(_ key: String, isRequired: Bool) -> EndpointURL? {
    guard isRequired else { return optional(key) { $0.endpointURL } }
    return required(key, "or an issuer, whose metadata tells") { $0.endpointURL }
  }

  /// The members that only a provider has whose accounts users connect.
  private func authorization(for grant: GrantType?, isDiscovered: Bool) -> ProviderAuthorization? {
    let keys = [
      "authorization_endpoint", "revocation_endpoint", "rotation", "keep_fresh", "keep_alive", "refresh_concurrency",
    ]
    guard grant == .authorizationCode else {
      // Of a faulty grant, too, the members are known.
      for key in keys {
        guard member(key) != nil, let member = own(key), grant != nil else { continue }
        member.fault("\(key) is for providers with grant: authorization_code")
      }
      return nil
    }
    let endpoint = endpoint("authorization_endpoint", isRequired: !isDiscovered)
    let revocation = optional("revocation_endpoint") { $0.endpointURL }
    let rotation = optional("rotation", default: .unknown) { value in
      value.choice(ProviderAuthorization.Rotation.allCases.map { ($0.rawValue, $0) })
    }
    var renewal = RenewalPolicy()
    replace(&renewal.keepFresh, "keep_fresh") { $0.duration(in: .zero ... RenewalMargins.lifetimeMax) }
    replace(&renewal.keepAlive, "keep_alive") { $0.duration(in: .seconds(60) ... RenewalMargins.lifetimeMax) }
    replace(&renewal.concurrency, "refresh_concurrency") { $0.count(in: 1...256) }
    guard endpoint != nil || isDiscovered, let rotation else { return nil }
    return ProviderAuthorization(
      endpoint: endpoint, revocationEndpoint: revocation, rotation: rotation, renewal: renewal)
  }
}
