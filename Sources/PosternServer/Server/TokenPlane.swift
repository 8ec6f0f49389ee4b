import Configuration
import Cryptography
import EventLoop
import GatewayServer
import HTTPWire
import OAuthCore
import PostgresStore
import ReverseProxy

/// The authorization server: everything between a request to one of Postern's own endpoints and the stores.
struct TokenPlane: Sendable {
  let endpoints: EndpointTable
  let verifier: AccessTokenVerifier

  /// - Parameter changes: gets whoever has to hear of changes so that nothing outdated is believed.
  init(
    _ configuration: Configuration, grants plugged: [any GrantHandler], stores: Stores, signingKeys: SigningKeys,
    changes: ChangeRelay, workers: WorkerPool, clock: any WallClock
  ) throws(GrantRegistry.Mistake) {
    let issuer = configuration.issuer.description
    let random = SystemRandom()
    let handles = HandleMint(ring: configuration.keys, random: random)
    let audit = LoggedAudit()
    let limiter = FailureLimiter()
    let secrets = SecretVerification(work: PooledWork(pool: workers), random: random)
    let clients = CachingClientDirectory(configured: configuration.clients, source: stores.clients, clock: clock)
    let accounts = LayeredAccountDirectory(configured: configuration.accounts, database: stores.accounts)
    let revocations = RevocationSet(clock: clock)
    let reload = SigningKeyReload(keys: signingKeys, store: stores.signingKeys, ring: configuration.keys)
    changes.add([clients, revocations, reload])
    let tokens = AnnouncingTokenStore(base: stores.tokens, observer: changes)

    let available = BuiltInGrants.handlers(ring: configuration.keys, handles: handles) + plugged
    let registry = try GrantRegistry(available.filter { configuration.grants.contains($0.descriptor.grantType) })
    let authenticator = ClientAuthenticator(clients: clients, secrets: secrets, limiter: limiter)
    let verifier = AccessTokenVerifier(
      issuer: issuer, handles: handles, store: tokens, clients: clients, signingKeys: signingKeys,
      revocations: revocations, clock: clock)
    self.verifier = verifier

    let token = TokenEndpoint(
      registry: registry, authenticator: authenticator, store: tokens,
      accessTokens: AccessTokenIssuer(issuer: issuer, handles: handles, signingKeys: signingKeys), handles: handles,
      policy: TokenPolicy(issuer: issuer, configuration.tokens), audit: audit, clock: clock)
    let introspection = IntrospectionEndpoint(
      authenticator: authenticator, verifier: verifier, handles: handles, store: tokens, issuer: issuer, clock: clock)
    let revocation = RevocationEndpoint(
      authenticator: authenticator, verifier: verifier, handles: handles, store: tokens, audit: audit, clock: clock)
    let metadata = MetadataDocument(issuer: issuer, registry: registry, scopes: configuration.scopes.map(\.scope))
    let keys = JWKSDocument(keys: signingKeys)

    var table = EndpointTable()
    table.add("/oauth/token", ClientEndpoint(isOpenToScripts: true) { await token.respond(to: $0) })
    table.add("/oauth/introspect", ClientEndpoint(isOpenToScripts: false) { await introspection.respond(to: $0) })
    table.add("/oauth/revoke", ClientEndpoint(isOpenToScripts: true) { await revocation.respond(to: $0) })
    table.add("/oauth/jwks", DocumentEndpoint { keys.response })
    table.add("/.well-known/oauth-authorization-server", DocumentEndpoint { metadata.response })

    let origin = IssuerOrigin(issuer)
    let sessions = BrowserSessions(
      store: stores.sessions, accounts: accounts, mint: handles, cookie: SessionCookie(isSecure: origin.isSecure), clock: clock)
    let pages = PageResponder(issuerHost: origin.host)
    let gate = PageGate(issuer: issuer, sessions: sessions, pages: pages)
    let scopes = ScopeDescriptions(
      Dictionary(configuration.scopes.map { ($0.scope, $0.text) }, uniquingKeysWith: { first, _ in first }))
    let authorization = AuthorizationEndpoint(
      clients: clients, consents: stores.consents, codes: AuthorizationCodeSealer(ring: configuration.keys),
      requests: AuthorizationRequestSealer(ring: configuration.keys), handles: handles, issuer: issuer,
      codeLifetime: configuration.tokens.codeLifetime, audit: audit, clock: clock)
    let flow = AuthorizationFlow(endpoint: authorization, pages: pages, clients: clients, scopes: scopes)
    let passwords = PasswordVerifier(accounts: accounts, secrets: secrets, limiter: limiter, audit: audit, clock: clock)
    table.add("/oauth/authorize", AuthorizeEndpoint(gate: gate, flow: flow))
    table.add("/login", LoginEndpoint(gate: gate, flow: flow, passwords: passwords))
    table.add("/consent", ConsentEndpoint(gate: gate, flow: flow, consents: stores.consents, clock: clock))
    table.add("/logout", LogoutEndpoint(gate: gate, flow: flow))
    table.add(
      "/account",
      AccountEndpoint(
        gate: gate, clients: clients, consents: stores.consents, tokens: tokens, scopes: scopes, clock: clock))
    endpoints = table
  }
}

extension TokenPolicy {
  fileprivate init(issuer: String, _ settings: TokenSettings) {
    self.init(
      issuer: issuer, accessTokenFormat: settings.accessFormat, accessTokenLifetime: settings.accessLifetime,
      refreshIdle: settings.refreshIdle, refreshAbsolute: settings.refreshAbsolute, refreshGrace: settings.refreshGrace)
  }
}

/// Reads the signing keys again when another instance has changed them.
private struct SigningKeyReload: ChangeObserver {
  let keys: SigningKeys
  let store: PostgresSigningKeyStore
  let ring: KeyRing

  func apply(_ changes: [Change]) {
    if changes.contains(.signingKeysChanged) { reload() }
  }

  func forgetEverything() { reload() }

  private func reload() {
    // On a loop always: the change feed calls its observers there.
    EventLoop.current?.task { [self] in try? await keys.reload(from: store, ring: ring) }
  }
}
