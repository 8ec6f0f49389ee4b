import Broker
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

  var providerClient: ProviderClient? {
    section { section in
      let id = section.required("id") { $0.text }
      let secret = section.required("secret") { $0.secret }
      let authentication = section.optional("authentication", default: .basic) { value in
        value.choice(
          ProviderClient.Authentication.allCases.map { ($0.rawValue, $0) },
          unavailable: ["private_key_jwt", "tls_client_auth", "none"])
      }
      guard let id, let secret, let authentication else { return nil }
      return ProviderClient(id: id, secret: secret, authentication: authentication)
    }
  }

  var endpointURL: EndpointURL? {
    guard let text else { return nil }
    return EndpointURL(text) ?? fault("\(path) must be an absolute http or https URL, not \"\(text)\"")
  }

  /// A host without port, lower case.
  var hostName: String? {
    guard let text else { return nil }
    guard Origin.isHostName(text) || IPAddress(text) != nil else {
      return fault("\(path) must be a host name or an address, without scheme and port, not \"\(text)\"")
    }
    return text.lowercased()
  }
}

extension Section {
  fileprivate func provider(_ id: ProviderID) -> Provider? {
    let endpoint = required("token_endpoint") { $0.endpointURL }
    let client = required("client") { $0.providerClient }
    let grant = required("grant") { value in
      value.choice(
        [("client_credentials", GrantType.clientCredentials), ("authorization_code", .authorizationCode)],
        unavailable: ["token_exchange", "jwt_bearer"])
    }
    let authorization = authorization(for: grant)
    optional("release") { value in
      value.choice([("proxy_only", ())], unavailable: ["never", "token_exchange"])
    }
    let defaultLifetime = optional("default_lifetime", default: Provider.lifetimeWhenUnnamed) { value in
      value.duration(in: .seconds(30) ... RenewalMargins.lifetimeMax)
    }
    let scopes = optional("scopes", default: []) { $0.uniqueList { $0.text } }
    let allowedHosts = required("allowed_hosts", "the only hosts that this provider's tokens are sent to") { value in
      value.uniqueList { $0.hostName }
    }
    var allowHTTP = false
    var allowPrivateAddresses = false
    nested("development") { section in
      section.replace(&allowHTTP, "allow_http") { $0.boolean }
      section.replace(&allowPrivateAddresses, "allow_private_addresses") { $0.boolean }
    }
    if let endpoint, endpoint.scheme == .http, !allowHTTP {
      member("token_endpoint")?.fault(
        "\(value.path): the client secret would travel in clear; use https, or development: { allow_http: true }")
    }
    if id.rawValue.allSatisfy({ $0 == "." }) {
      fault("\(value.path): a provider's name is part of an address and needs a letter or a digit")
    }
    for (key, url) in [
      ("authorization_endpoint", authorization?.endpoint), ("revocation_endpoint", authorization?.revocationEndpoint),
    ] where url?.scheme == .http && !allowHTTP {
      member(key)?.fault(
        "\(value.path): codes and tokens would travel in clear; use https, or development: { allow_http: true }")
    }
    guard let endpoint, let client, let grant, let scopes, let allowedHosts, let defaultLifetime else { return nil }
    if grant == .authorizationCode, authorization == nil { return nil }
    return Provider(
      id: id, tokenEndpoint: endpoint, client: client, scopes: scopes, allowedHosts: allowedHosts, allowHTTP: allowHTTP,
      allowPrivateAddresses: allowPrivateAddresses, defaultLifetime: defaultLifetime, authorization: authorization)
  }

  /// The members that only a provider has whose accounts users connect.
  private func authorization(for grant: GrantType?) -> ProviderAuthorization? {
    let keys = [
      "authorization_endpoint", "revocation_endpoint", "issuer", "rotation", "keep_fresh", "keep_alive", "refresh_concurrency",
    ]
    guard grant == .authorizationCode else {
      // Of a faulty grant, too, the members are known.
      for key in keys {
        guard let member = member(key), grant != nil else { continue }
        member.fault("\(key) is for providers with grant: authorization_code")
      }
      return nil
    }
    let endpoint = required("authorization_endpoint", "where users are asked") { $0.endpointURL }
    let revocation = optional("revocation_endpoint") { $0.endpointURL }
    let issuer = optional("issuer") { value in
      value.endpointURL.flatMap { _ in value.text }
    }
    let rotation = optional("rotation", default: .unknown) { value in
      value.choice(ProviderAuthorization.Rotation.allCases.map { ($0.rawValue, $0) })
    }
    var renewal = RenewalPolicy()
    replace(&renewal.keepFresh, "keep_fresh") { $0.duration(in: .zero ... RenewalMargins.lifetimeMax) }
    replace(&renewal.keepAlive, "keep_alive") { $0.duration(in: .seconds(60) ... RenewalMargins.lifetimeMax) }
    replace(&renewal.concurrency, "refresh_concurrency") { $0.count(in: 1...256) }
    guard let endpoint, let rotation else { return nil }
    return ProviderAuthorization(
      endpoint: endpoint, issuer: issuer, revocationEndpoint: revocation, rotation: rotation, renewal: renewal)
  }
}
