import Cryptography
import JSON
import OAuthCore

/// An authorization server in memory: the real endpoints over in-memory ports, a manual clock and seeded randomness.
///
/// A grant of your own is tested against the same core that will run it:
/// ```swift
/// let server = try await ServerUnderTest(clients: [client]) { _ in [MyGrant()] }
/// let response = await server.requestToken(["grant_type": "urn:example:mine"], as: client.id, secret: "secret")
/// ```
public struct ServerUnderTest: Sendable {
  /// What built-in grants are made of.
  public struct Parts: Sendable {
    public let handles: HandleMint
    public let codes: AuthorizationCodeSealer
    public let verifier: AccessTokenVerifier
  }

  public static let issuer = "https://auth.example"

  public let clock: ManualClock
  public let ring: KeyRing
  public let handles: HandleMint
  public let codes: AuthorizationCodeSealer
  public let requests: AuthorizationRequestSealer
  public let store: InMemoryTokenStore
  public let clients: InMemoryClientDirectory
  public let accounts: InMemoryAccountDirectory
  public let consents: InMemoryConsentStore
  public let sessions: InMemorySessionStore
  public let audit: InMemoryAuditLog
  public let limiter: FailureLimiter
  public let signingKeys: SigningKeys
  public let revocations: RevocationSet
  public let registry: GrantRegistry
  public let policy: TokenPolicy
  public let token: TokenEndpoint
  public let authorization: AuthorizationEndpoint
  public let introspection: IntrospectionEndpoint
  public let revocation: RevocationEndpoint
  public let verifier: AccessTokenVerifier
  public let passwords: PasswordVerifier

  public init(
    clients: [Client], accounts: [Account] = [], policy: TokenPolicy = TokenPolicy(issuer: ServerUnderTest.issuer),
    proofKeyRule: ProofKeyRule = .everyClient, limiter: FailureLimiter = FailureLimiter(),
    grants: @Sendable (Parts) -> [any GrantHandler]
  ) async throws {
    clock = ManualClock()
    let random = SeededRandom()
    ring = try KeyRing(active: "k1", keys: [("k1", Secret(bytes: random.bytes(32)))])
    handles = HandleMint(ring: ring, random: random)
    codes = AuthorizationCodeSealer(ring: ring)
    requests = AuthorizationRequestSealer(ring: ring)
    self.clients = InMemoryClientDirectory(clients)
    self.accounts = InMemoryAccountDirectory(accounts)
    consents = InMemoryConsentStore()
    store = InMemoryTokenStore(consents: consents)
    sessions = InMemorySessionStore()
    audit = InMemoryAuditLog()
    self.limiter = limiter
    self.policy = policy
    signingKeys = try await SigningKeys.load(from: InMemorySigningKeyStore(), ring: ring, at: clock.now)
    revocations = RevocationSet(clock: clock)
    store.add(revocations)
    verifier = AccessTokenVerifier(
      issuer: policy.issuer, handles: handles, store: store, clients: self.clients, signingKeys: signingKeys,
      revocations: revocations, clock: clock)
    registry = try GrantRegistry(grants(Parts(handles: handles, codes: codes, verifier: verifier)))

    let secrets = SecretVerification(
      work: ImmediateWork(), random: random, dummy: Scrypt.hash(password: Secret("nobody's"), logN: 4))
    let authenticator = ClientAuthenticator(clients: self.clients, secrets: secrets, limiter: limiter)
    let accessTokens = AccessTokenIssuer(issuer: policy.issuer, handles: handles, signingKeys: signingKeys)
    token = TokenEndpoint(
      registry: registry, authenticator: authenticator, store: store, accessTokens: accessTokens, handles: handles,
      policy: policy, audit: audit, clock: clock)
    authorization = AuthorizationEndpoint(
      clients: self.clients, consents: consents, codes: codes, requests: requests, handles: handles,
      issuer: policy.issuer,
      proofKeyRule: proofKeyRule, audit: audit, clock: clock)
    introspection = IntrospectionEndpoint(
      authenticator: authenticator, verifier: verifier, handles: handles, store: store, issuer: policy.issuer,
      clock: clock)
    revocation = RevocationEndpoint(
      authenticator: authenticator, verifier: verifier, handles: handles, store: store, audit: audit, clock: clock)
    passwords = PasswordVerifier(
      accounts: self.accounts, secrets: secrets, limiter: limiter, audit: audit, clock: clock)
  }

  // MARK: Requests

  /// A form POST, with HTTP Basic credentials when a secret is given, else with `client_id` alone.
  public func form(
    _ parameters: KeyValuePairs<String, String>, as client: ClientID? = nil, secret: String? = nil,
    from remoteAddress: String = "192.0.2.1"
  ) -> ClientRequest {
    var pairs = parameters.map { (name: $0.key, value: $0.value) }
    var authorizationField: String?
    if let client, let secret {
      let credentials = PercentEncoding.encode(client.rawValue) + ":" + PercentEncoding.encode(secret)
      authorizationField = "Basic " + Base64.encode(Array(credentials.utf8))
    } else if let client {
      pairs.append(("client_id", client.rawValue))
    }
    return ClientRequest(
      contentType: "application/x-www-form-urlencoded", authorizationField: authorizationField,
      body: Array(PercentEncoding.form(pairs).utf8), remoteAddress: remoteAddress)
  }

  public func requestToken(
    _ parameters: KeyValuePairs<String, String>, as client: ClientID? = nil, secret: String? = nil,
    from remoteAddress: String = "192.0.2.1"
  ) async -> EndpointResponse {
    await token.respond(to: form(parameters, as: client, secret: secret, from: remoteAddress))
  }

  /// A signed-in browser session.
  public func session(of subject: Subject) -> BrowserSession {
    let handle = handles.make(.session, at: clock.now)
    return BrowserSession(
      locator: handle.locator, secretHash: handle.secretHash, subject: subject, authenticatedAt: clock.now,
      expiresAt: clock.now + .seconds(3600))
  }
}

extension EndpointResponse {
  /// The members of a JSON body; empty when it is none.
  public var json: JSONObject { (try? JSON(parsing: body))?.object ?? [:] }
  /// `error`; nil: success.
  public var errorCode: String? { json["error"]?.string }
}
