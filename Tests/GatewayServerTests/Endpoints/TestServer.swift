import Broker
import Cryptography
import Grants
import HTTPWire
import OAuthCore
import PosternTesting
import ReverseProxy

@testable import GatewayServer

/// A whole authorization server on ports in memory, each endpoint at its address.
struct TestServer {
  static let password = "correct horse battery staple"
  static let longRedirectURI = "https://printmypics.example/" + String(repeating: "x", count: 2000)
  // One scrypt for all tests; the cheapest parameters, since nothing here depends on their cost.
  private static let passwordHash = Scrypt.hash(password: Secret(password), logN: 4, r: 8, p: 1)

  let issuer: String
  let clock = ManualClock()
  let sessions = InMemorySessionStore()
  let consents = InMemoryConsentStore()
  let tokens: InMemoryTokenStore
  let accounts: InMemoryAccountDirectory
  let clients: InMemoryClientDirectory
  /// As the routes have it.
  let access: SessionAccess
  private let authorize: AuthorizeEndpoint
  private let login: LoginEndpoint
  private let consent: ConsentEndpoint
  private let account: AccountEndpoint
  private let logout: LogoutEndpoint
  private let connect: ConnectEndpoint
  private let disconnect: DisconnectEndpoint
  let api: ManagementAPI
  let tickets: ConnectTickets
  let webhooks = InMemoryWebhookStore()
  let connections: InMemoryConnectionStore
  let provider = ScriptedTokenEndpoint()
  private let token: ClientEndpoint

  init(
    issuer: String = "https://auth.example.com", clientName: String = "PrintMyPics", scopeMeaning: String = "See your photos"
  ) async throws {
    self.issuer = issuer
    tokens = InMemoryTokenStore(consents: consents)
    accounts = InMemoryAccountDirectory([
      Account(subject: Subject("alice-id"), username: "alice", passwordHash: Self.passwordHash),
      Account(subject: Subject("bob-id"), username: "bob", passwordHash: Self.passwordHash),
    ])
    clients = InMemoryClientDirectory([
      Client(
        id: ClientID("printmypics"), name: clientName, authentication: .none, grants: [.authorizationCode, .refreshToken],
        redirectURIs: ["https://printmypics.example/callback", Self.longRedirectURI], scopes: ["photos.read", "albums.list"])
    ])

    let random = SeededRandom()
    let ring = try KeyRing(active: "k1", keys: [("k1", Secret(bytes: random.bytes(32)))])
    let mint = HandleMint(ring: ring, random: random)
    let codes = AuthorizationCodeSealer(ring: ring)
    let secrets = SecretVerification(work: ImmediateWork(), random: random)
    let limiter = FailureLimiter(
      perAccount: .init(burst: 6, every: .seconds(15)), perNetwork: .init(burst: 3, every: .seconds(20)))
    let audit = InMemoryAuditLog()

    let origin = try Origin(issuer)
    let browserSessions = BrowserSessions(
      store: sessions, accounts: accounts, mint: mint, cookie: SessionCookie(isSecure: origin.isSecure), clock: clock)
    let pages = PageResponder(issuerHost: origin.authority)
    let gate = PageGate(origin: origin, sessions: browserSessions, pages: pages)
    let scopes = ScopeDescriptions([Scope("photos.read")!: scopeMeaning])
    let authorization = AuthorizationEndpoint(
      clients: clients, consents: consents, codes: codes, requests: AuthorizationRequestSealer(ring: ring), handles: mint,
      issuer: issuer, audit: audit, clock: clock)
    let flow = AuthorizationFlow(endpoint: authorization, pages: pages, clients: clients, scopes: scopes)
    authorize = AuthorizeEndpoint(gate: gate, flow: flow)
    login = LoginEndpoint(
      gate: gate, flow: flow,
      passwords: PasswordVerifier(accounts: accounts, secrets: secrets, limiter: limiter, audit: audit, clock: clock),
      returnPaths: ReturnPaths(ring: ring), clock: clock)
    access = SessionAccess(origin: origin, sessions: browserSessions, returnPaths: ReturnPaths(ring: ring))
    consent = ConsentEndpoint(gate: gate, flow: flow, consents: consents, clock: clock)
    connections = InMemoryConnectionStore(clock: clock)
    let connector = Connector(
      providers: [.vault], issuer: issuer, flows: InMemoryConnectFlowStore(), connections: connections, transport: provider,
      keyRing: ring, random: random, clock: clock, observer: NobodyListens(), changes: NobodyListens())
    account = AccountEndpoint(
      gate: gate, clients: clients, consents: consents, tokens: tokens, scopes: scopes, connector: connector, clock: clock)
    tickets = ConnectTickets(
      connector: connector, store: InMemoryConnectTicketStore(), mint: mint, returnURIs: ["https://app.example/done", "http://127.0.0.1:3000/"],
      clock: clock)
    connect = ConnectEndpoint(gate: gate, connector: connector, tickets: tickets, clients: clients)
    let directory = InMemoryConnectionDirectory(store: connections)
    api = ManagementAPI(
      verifier: ScriptedTokens(),
      connections: ConnectionsAPI(
        directory: directory,
        credentials: LiveCredentials(
          providers: [.vault], store: connections, transport: provider, keyRing: ring, clock: clock, random: random,
          sleeper: NoSleep(), executor: nil, observer: NobodyListens()),
        connector: connector),
      tickets: tickets, webhooks: WebhooksAPI(store: webhooks))
    disconnect = DisconnectEndpoint(gate: gate, connector: connector)
    logout = LogoutEndpoint(gate: gate, flow: flow)

    let signingKeys = try await SigningKeys.load(from: InMemorySigningKeyStore(), ring: ring, at: clock.now)
    let tokenEndpoint = TokenEndpoint(
      registry: try GrantRegistry([AuthorizationCodeGrant(codes: codes), RefreshTokenGrant(handles: mint)]),
      authenticator: ClientAuthenticator(clients: clients, secrets: secrets, limiter: limiter), store: tokens,
      accessTokens: AccessTokenIssuer(issuer: issuer, handles: mint, signingKeys: signingKeys), handles: mint,
      policy: TokenPolicy(issuer: issuer), audit: audit, clock: clock)
    token = ClientEndpoint(isOpenToScripts: true, answer: tokenEndpoint.respond)
  }

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    switch request.path {
    case "/oauth/authorize": await authorize.respond(to: request)
    case "/login": await login.respond(to: request)
    case "/consent": await consent.respond(to: request)
    case "/account": await account.respond(to: request)
    case "/account/disconnect": await disconnect.respond(to: request)
    case let path where path.hasPrefix("/api/v1"): await api.respond(to: request)
    case let path where path.hasPrefix("/connect"): await connect.respond(to: request)
    case "/logout": await logout.respond(to: request)
    case "/oauth/token": await token.respond(to: request)
    default: HTTPResponse(status: 404)
    }
  }

  /// An authorization request of the registered client, with PKCE.
  func authorizationRequest(_ changes: [String: String?] = [:]) -> String {
    var parameters: [String: String?] = [
      "response_type": "code", "client_id": "printmypics", "redirect_uri": "https://printmypics.example/callback",
      "scope": "photos.read", "state": "xyz", "code_challenge": Self.challenge, "code_challenge_method": "S256",
    ]
    parameters.merge(changes) { _, change in change }
    return "/oauth/authorize?" + PercentEncoding.form(parameters.compactMap { name, value in value.map { (name, $0) } })
  }

  /// Source: RFC 7636 appendix B.
  static let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
  static let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
}

extension TestBrowser {
  func signIn(_ username: String = "alice", password: String = TestServer.password) async {
    await submit("/login", ["username": username, "password": password])
  }

  func allow() async { await submit("/consent", ["decision": "approve"]) }
}
