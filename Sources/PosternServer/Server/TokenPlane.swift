import Broker
import Configuration
import Cryptography
import GatewayServer
import HTTPWire
import OAuthCore
import PostgresStore
import ReverseProxy

/// The authorization server: everything between a request to one of Postern's own endpoints and the stores, as one
/// configuration wants it. Immutable: another configuration makes another one, on the same services.
struct TokenPlane: Sendable {
  let endpoints: EndpointTable
  /// For the routes that take browser sessions.
  let sessions: SessionAccess
  /// For the admin listener.
  let api: ManagementAPI

  init(_ configuration: Configuration, grants plugged: [any GrantHandler], services: TokenServices) throws(GrantRegistry.Mistake) {
    let (issuer, ring, clock, handles) = (services.issuer, services.ring, services.clock, services.handles)
    let (stores, clients, tokens) = (services.stores, services.clients, services.tokens)
    let accounts = LayeredAccountDirectory(configured: configuration.accounts, database: stores.accounts)
    let vault = ConnectionVault(credentials: services.credentials, providers: configuration.providers, issuer: issuer)
    let builtIn = BuiltInGrants.handlers(ring: ring, handles: handles, verifier: services.verifier, vault: vault)
    let available = builtIn + plugged
    let registry = try GrantRegistry(available.filter { configuration.grants.contains($0.descriptor.grantType) })
    let authenticator = ClientAuthenticator(clients: clients, secrets: services.secrets, limiter: services.limiter)

    let token = TokenEndpoint(
      registry: registry, authenticator: authenticator, store: tokens,
      accessTokens: AccessTokenIssuer(issuer: issuer, handles: handles, signingKeys: services.signingKeys), handles: handles,
      policy: TokenPolicy(issuer: issuer, configuration.tokens), audit: services.audit, clock: clock)
    let introspection = IntrospectionEndpoint(
      authenticator: authenticator, verifier: services.verifier, handles: handles, store: tokens, issuer: issuer, clock: clock)
    let revocation = RevocationEndpoint(
      authenticator: authenticator, verifier: services.verifier, handles: handles, store: tokens, audit: services.audit, clock: clock)
    let metadata = MetadataDocument(
      issuer: issuer, registry: registry, asksForCertificates: configuration.listeners.contains { $0.tls?.clientAuthorities != nil },
      scopes: configuration.scopes.map(\.scope))
    let keys = JWKSDocument(keys: services.signingKeys)

    var table = EndpointTable()
    table.add("/oauth/token", ClientEndpoint(isOpenToScripts: true) { await token.respond(to: $0) })
    table.add("/oauth/introspect", ClientEndpoint(isOpenToScripts: false) { await introspection.respond(to: $0) })
    table.add("/oauth/revoke", ClientEndpoint(isOpenToScripts: true) { await revocation.respond(to: $0) })
    table.add("/oauth/jwks", DocumentEndpoint { keys.response })
    table.add("/.well-known/oauth-authorization-server", DocumentEndpoint { metadata.response })

    table.add(
      ProtectedResource.wellKnownPath, servesBelow: true,
      ProtectedResourceEndpoint(
        ResourceMetadata(
          routes: configuration.routes.routes, issuer: configuration.issuer, scopes: configuration.scopes.map(\.scope))))

    let origin = configuration.issuer
    let sessions = BrowserSessions(
      store: AnnouncingSessionStore(base: stores.sessions, observer: services.changes), accounts: accounts, mint: handles,
      cookie: SessionCookie(isSecure: origin.isSecure), clock: clock)
    let returnPaths = ReturnPaths(ring: ring)
    self.sessions = SessionAccess(origin: origin, sessions: sessions, returnPaths: returnPaths)
    let pages = PageResponder(issuerHost: origin.authority)
    let gate = PageGate(origin: origin, sessions: sessions, pages: pages)
    let scopes = ScopeDescriptions(
      Dictionary(configuration.scopes.map { ($0.scope, $0.text) }, uniquingKeysWith: { first, _ in first }))
    let authorization = AuthorizationEndpoint(
      clients: clients, consents: stores.consents, codes: AuthorizationCodeSealer(ring: ring),
      requests: AuthorizationRequestSealer(ring: ring), handles: handles, issuer: issuer,
      codeLifetime: configuration.tokens.codeLifetime, audit: services.audit, clock: clock)
    let flow = AuthorizationFlow(endpoint: authorization, pages: pages, clients: clients, scopes: scopes)
    let passwords = PasswordVerifier(accounts: accounts, secrets: services.secrets, limiter: services.limiter, audit: services.audit, clock: clock)
    table.add("/oauth/authorize", AuthorizeEndpoint(gate: gate, flow: flow))
    table.add("/login", LoginEndpoint(gate: gate, flow: flow, passwords: passwords, returnPaths: returnPaths, clock: clock))
    table.add("/consent", ConsentEndpoint(gate: gate, flow: flow, consents: stores.consents, clock: clock))
    table.add("/logout", LogoutEndpoint(gate: gate, flow: flow))
    let connector = Connector(
      providers: configuration.providers, issuer: issuer, flows: stores.connectFlows, connections: stores.connections,
      transport: services.transport, directory: services.directory, keyRing: ring, random: SystemRandom(), clock: clock, observer: LoggedBroker(),
      changes: services.changes)
    table.add(
      "/account",
      AccountEndpoint(
        gate: gate, clients: clients, consents: stores.consents, tokens: tokens, scopes: scopes, connector: connector,
        clock: clock))
    table.add("/account/disconnect", DisconnectEndpoint(gate: gate, connector: connector))
    let tickets = ConnectTickets(
      connector: connector, store: stores.connectTickets, mint: handles, returnURIs: configuration.connectReturnURIs,
      clock: clock)
    table.add(
      "/connect", servesBelow: true,
      ConnectEndpoint(gate: gate, connector: connector, tickets: tickets, clients: clients))
    api = ManagementAPI(
      verifier: services.verifier,
      connections: ConnectionsAPI(
        directory: stores.connectionDirectory, credentials: services.credentials, connector: connector),
      tickets: tickets, webhooks: WebhooksAPI(store: stores.webhooks))
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
