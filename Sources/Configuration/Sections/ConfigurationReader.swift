import Cryptography
import OAuthCore
import ReverseProxy

/// The file's root: each line is one member of the format.
struct ConfigurationReader {
  let registeredGrants: [GrantType]

  func read(_ root: YAMLValue) -> Configuration? {
    root.section { file in
      let issuer = file.required("issuer", "the URL that tokens and metadata name") { $0.issuer }
      let listeners = file.required("listen", "a list such as [{ address: 127.0.0.1:8080 }]") { $0.listeners }
      let admin = file.optional("admin") { $0.section { $0.required("address") { $0.listenAddress } } }
      let database = file.required("database", "a libpq URI in \"${env:NAME}\"") { $0.databaseURI }
      let keys = file.required("keys", "Postern seals with them and does not start without") { $0.keyRing }
      let trustedProxies = file.optional("trusted_proxies", default: []) { $0.uniqueList { $0.addressBlock } }
      let limits = file.optional("limits", default: Limits()) { $0.limits }
      let shutdown = file.optional("shutdown", default: ShutdownSettings()) { $0.shutdown }
      let tokens = file.optional("tokens", default: TokenSettings()) { $0.tokenSettings }
      let scopes = file.optional("scopes", default: []) { $0.scopeDescriptions }
      let grants = file.optional("grants", default: registeredGrants) { $0.enabledGrants(of: registeredGrants) }

      let clients = file.optional("clients", default: []) { value in
        value.clients(scopes: scopes, grants: grants ?? registeredGrants)
      }
      let accounts = file.optional("accounts", default: []) { $0.accounts }
      let providers = file.optional("providers", default: Declarations()) { $0.providers } ?? Declarations()
      let connectReturnURIs = file.optional("connect", default: []) { $0.connectReturnURIs }
      let webhooks = file.optional("webhooks", default: []) { $0.webhooks }
      let upstreams = file.optional("upstreams", default: Declarations()) { $0.upstreams } ?? Declarations()
      let knownScopes = scopes.flatMap { scopes in clients.map { KnownScopes(declared: scopes, clients: $0) } }
      let routes = file.optional("routes", default: []) { value in
        value.routes(upstreams: upstreams, providers: providers, scopes: knownScopes, issuer: issuer)
      }
      file.requireCertificates(listeners, for: clients, routes)

      guard let issuer, let listeners, let database, let keys, let trustedProxies, let limits, let shutdown, let tokens,
        let scopes, let grants, let clients, let accounts, let connectReturnURIs, let webhooks, let routes,
        let table = try? RouteTable(routes.map { $0.discoverable(at: issuer) })
      else { return nil }
      return Configuration(
        issuer: issuer, listeners: listeners, admin: admin, database: database, keys: keys,
        trustedProxies: trustedProxies, limits: limits, shutdown: shutdown, tokens: tokens, scopes: scopes, grants: grants,
        clients: clients, accounts: accounts, providers: providers.values, connectReturnURIs: connectReturnURIs,
        webhooks: webhooks, upstreams: upstreams.values, routes: table)
    }
  }
}

/// What a section of named things declared. A faulty one keeps its name, so that references to it are not faults too.
struct Declarations<Value> {
  private(set) var names: [String] = []
  private var readable: [String: Value] = [:]

  mutating func add(_ name: String, _ value: Value?) {
    names.append(name)
    readable[name] = value
  }

  var values: [Value] { names.compactMap { readable[$0] } }

  /// Follows a reference; nil when the name is unknown, which is a fault, or when what it names was faulty itself.
  func resolve(_ kind: String, at reference: YAMLValue) -> Value? {
    guard let name = reference.text else { return nil }
    guard names.contains(name) else {
      return reference.fault("there is no \(kind) \"\(name)\"\(didYouMean(name, among: names))")
    }
    return readable[name]
  }
}
