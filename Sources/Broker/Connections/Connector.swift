import Cryptography
import JSON
import OAuthCore

/// Connects users' accounts at providers and disconnects them: authorization code with PKCE, Postern being the client.
///
/// Source: RFC 6749 §4.1; RFC 7636; RFC 9126; RFC 9700 §2.1.1, §4.7 (`state` bound to the browser), §4.4.2 (mix-up: `iss`,
/// and a redirect URI for each provider); OpenID Connect Core §3.1.
public struct Connector: Sendable {
  /// From leaving for the provider to coming back.
  public static let flowLifetime = Duration.seconds(10 * 60)
  /// `code` and `state`; longer ones were not made by a provider that means it. Bytes.
  static let parameterByteCountMax = 4096
  /// Tries to store while refreshes or other tabs are storing, too.
  private static let establishCountMax = 5
  private static let purpose: KeyPurpose = "connect flow"

  let providers: [ProviderID: Provider]
  let issuer: String
  private let flows: any ConnectFlowStore
  let connections: any UserConnectionStore
  let channel: ProviderChannel
  let ring: KeyRing
  let random: any RandomSource
  private let clock: any WallClock
  let observer: any BrokerObserver
  private let changes: any ChangeObserver
  let limits: BrokerLimits

  /// - Parameters:
  ///   - providers: those without `authorization` are left out.
  ///   - issuer: where the pages live, without a slash at the end.
  ///   - directory: what providers publish; nil: nobody shares it.
  ///   - changes: hears of what is changed here before the browser does.
  public init(
    providers: [Provider], issuer: String, flows: any ConnectFlowStore, connections: any UserConnectionStore,
    transport: any ProviderTransport, directory: ProviderDirectory? = nil, keyRing: KeyRing,
    random: any RandomSource, clock: any WallClock,
    observer: any BrokerObserver, changes: any ChangeObserver, limits: BrokerLimits = BrokerLimits()
  ) {
    self.providers = Dictionary(
      providers.filter { $0.authorization != nil }.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    self.issuer = issuer
    self.flows = flows
    self.connections = connections
    channel = ProviderChannel(
      transport: transport,
      directory: directory ?? ProviderDirectory(transport: transport, clock: clock, executor: nil), clock: clock,
      random: random)
    ring = keyRing
    self.random = random
    self.clock = clock
    self.observer = observer
    self.changes = changes
    self.limits = limits
  }

  /// The providers that users can connect to, in order.
  public var connectable: [ProviderID] { providers.keys.sorted { $0.rawValue < $1.rawValue } }

  /// What users of a provider are asked for, unless a ticket asks for less.
  public func scopes(of id: ProviderID) -> [String] { providers[id]?.scopes ?? [] }

  public func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary] {
    try await connections.connections(of: subject)
  }

  // MARK: Out

  /// What a ticket wants beside the connection itself.
  public struct Errand: Sendable {
    /// Empty: all that the provider is configured with.
    public var scopes: [String]
    public var returnTo: String?

    public init(scopes: [String], returnTo: String?) {
      self.scopes = scopes
      self.returnTo = returnTo
    }
  }

  /// Begins a flow. Any number may be under way in one browser.
  ///
  /// - Parameters:
  ///   - session: of the browser; `subject` is signed in there, unless a ticket vouches for it.
  ///   - errand: of a ticket.
  /// - Returns: the provider's address for the browser.
  /// - Throws: `unknownProvider` when users cannot connect to such a provider.
  public func begin(
    _ id: ProviderID, for subject: Subject, session: Locator, ticketed errand: Errand? = nil
  ) async throws(Failure) -> String {
    guard var provider = providers[id] else { throw .unknownProvider }
    if let errand, !errand.scopes.isEmpty { provider.scopes = errand.scopes }
    guard let endpoints = await channel.directory.endpoints(of: provider), let authorization = endpoints.authorization
    else { throw .providerFailed }
    let secrets = ConnectSecrets.random(random, for: provider, returnTo: errand?.returnTo)
    let state = Base64URL.encode(random.bytes(32))
    let digest = SHA256.digest(state)
    let now = clock.now
    let flow = ConnectFlow(
      stateDigest: digest, provider: id, subject: subject, session: session,
      sealedSecrets: ring.seal(secrets.bytes, purpose: Self.purpose, associatedData: digest.bytes),
      expiresAt: now + Self.flowLifetime, isTicketed: errand != nil)
    do { try await flows.begin(flow, at: now) } catch { throw .store(error) }
    var parameters = AuthorizationParameters(redirectURI: redirectURI(of: id), state: state, secrets: secrets)
      .pairs(for: provider)
    if let endpoint = endpoints.pushedRequests {
      parameters = try await push(parameters, to: endpoint, provider, endpoints, for: subject)
    }
    return authorization.adding(parameters)
  }

  /// - Returns: what stands for the parameters in the browser. Source: RFC 9126 §2.2, §4.
  private func push(
    _ parameters: [(name: String, value: String)], to endpoint: EndpointURL, _ provider: Provider,
    _ endpoints: ProviderEndpoints, for subject: Subject
  ) async throws(Failure) -> [(name: String, value: String)] {
    let response = try? await channel.post(
      parameters, to: endpoint, of: provider, endpoints, deadline: limits.providerDeadline)
    guard let response, response.status == 201, let object = try? JSON(parsing: response.body.exposedBytes).object,
      let uri = object["request_uri"]?.string, !uri.isEmpty, uri.utf8.count <= Self.parameterByteCountMax
    else {
      observer.observe(.pushRefused, of: ConnectionKey(provider: provider.id, owner: .subject(subject)))
      throw .providerFailed
    }
    return [("client_id", provider.client.id), ("request_uri", uri)]
  }

  // MARK: Back

  /// What the provider sent the browser back with: the query of the redirect URI. Source: RFC 6749 §4.1.2.
  public struct Answer: Sendable {
    public var code: String?
    public var error: String?
    public var issuer: String?

    public init(code: String?, error: String?, issuer: String?) {
      self.code = code
      self.error = error
      self.issuer = issuer
    }
  }

  public enum Failure: Error, Sendable, Equatable {
    case unknownProvider
    /// No such flow: never begun, expired, back already, or another browser's.
    case noFlow
    /// The answer is not from the provider that was asked. Source: RFC 9207 §2.4.
    case otherIssuer
    /// The ID token is not for this flow. Source: OpenID Connect Core §3.1.3.7.
    case otherIdentity
    /// The user, or the provider, said no. Source: RFC 6749 §4.1.2.1.
    case denied
    /// The provider could not do it.
    case providerFailed
    case store(StoreFailure)
  }

  /// A flow whose browser has come back; it is over whatever comes of it.
  public struct Return: Sendable {
    let subject: Subject
    let secrets: ConnectSecrets
    /// Where the browser goes afterwards, out of the configured list; nil: to the account page.
    public var returnTo: String? { secrets.returnTo }
  }

  /// Takes the flow that a `state` belongs to.
  ///
  /// - Parameter subject: who is signed in; nil: nobody.
  /// - Throws: `noFlow` for one that was never begun, is another browser's, has expired or is back already.
  public func comeBack(
    _ id: ProviderID, state: String?, signedIn subject: Subject?, session: Locator
  ) async throws(Failure) -> Return {
    guard providers[id] != nil else { throw .unknownProvider }
    guard let state, state.utf8.count <= Self.parameterByteCountMax else { throw .noFlow }
    let digest = SHA256.digest(state)
    let flow: TakenFlow?
    do {
      flow = try await flows.take(digest, provider: id, subject: subject, session: session, at: clock.now)
    } catch { throw .store(error) }
    guard let flow, let bytes = ring.open(flow.sealedSecrets, purpose: Self.purpose, associatedData: digest.bytes),
      let secrets = ConnectSecrets(parsing: bytes)
    else { throw .noFlow }
    return Return(subject: flow.subject, secrets: secrets)
  }

  /// Takes the answer, gets the tokens and keeps them.
  public func finish(_ id: ProviderID, _ answer: Answer, of flow: Return) async throws(Failure) {
    guard let provider = providers[id] else { throw .unknownProvider }
    guard let endpoints = await channel.directory.endpoints(of: provider) else { throw .providerFailed }
    try Self.requireIssuer(provider.issuer, answer.issuer, isPromised: endpoints.namesIssuer)
    if let error = answer.error { throw Self.isTemporary(error) ? .providerFailed : .denied }
    guard let code = answer.code, code.utf8.count <= Self.parameterByteCountMax else { throw .providerFailed }
    let key = ConnectionKey(provider: id, owner: .subject(flow.subject))
    let (record, scopes) = try await redeem(Secret(code), flow.secrets, at: provider, endpoints, for: key)
    try await keep(record, scopes, of: key)
  }

  /// An issuer that is named must be the one that was asked, promised or not; where it is promised, it must be named.
  ///
  /// Source: RFC 9207 §2.4.
  private static func requireIssuer(_ expected: String?, _ named: String?, isPromised: Bool) throws(Failure) {
    guard let expected, named != nil || isPromised else { return }
    guard let named, named.utf8.elementsEqual(expected.utf8) else { throw .otherIssuer }
  }

  /// Source: RFC 6749 §4.1.2.1: the provider's trouble, not a no.
  private static func isTemporary(_ error: String) -> Bool { error == "server_error" || error == "temporarily_unavailable" }

  private func redeem(
    _ code: Secret, _ secrets: ConnectSecrets, at provider: Provider, _ endpoints: ProviderEndpoints,
    for key: ConnectionKey
  ) async throws(Failure) -> (CredentialRecord, scopes: [String]) {
    let request = TokenRequest(
      provider: provider,
      grant: .authorizationCode(code, redirectURI: redirectURI(of: provider.id), verifier: secrets.verifier),
      deadline: limits.providerDeadline)
    let sentAt = clock.now
    let token: TokenResponse
    do { token = try await request.send(over: channel) } catch {
      observer.observe(.failed(error, pause: .zero), of: key)
      throw .providerFailed
    }
    if let nonce = secrets.nonce {
      do throws(IDTokenFailure) { try await check(token.idToken, nonce, of: provider, endpoints) } catch {
        observer.observe(.identityRefused(error), of: key)
        throw .otherIdentity
      }
    }
    return (CredentialRecord(token, to: request, sentAt: sentAt, replacing: nil), token.scopes ?? secrets.scopes)
  }

  private func check(
    _ idToken: Secret?, _ nonce: String, of provider: Provider, _ endpoints: ProviderEndpoints
  ) async throws(IDTokenFailure) {
    guard let idToken else { throw .missing }
    guard let token = try? UnverifiedJWT(idToken.exposedBytes), let issuer = provider.issuer else { throw .malformed }
    try IDTokenExpectation(issuer: issuer, clientID: provider.client.id, nonce: nonce).check(token, at: clock.now)
    // Without keys, the TLS connection that it came over vouches for it. Source: OpenID Connect Core §3.1.3.7 step 6.
    guard let url = endpoints.keySet else { return }
    switch await channel.directory.verifies(token, of: provider, issuer, keysAt: url) {
    case true?: return
    case false?: throw .signature
    case nil: throw .keysUnavailable
    }
  }

  private func keep(_ record: CredentialRecord, _ scopes: [String], of key: ConnectionKey) async throws(Failure) {
    let sealer = CredentialSealer(ring: ring)
    do {
      for _ in 0..<Self.establishCountMax {
        let generation = try await connections.prepare(key) + 1
        var sealed = sealer.seal(record, of: key, generation: generation, jitter: random.jitter())
        sealed.scopes = scopes
        guard try await connections.establish(sealed, of: key, at: clock.now) == .stored else { continue }
        observer.observe(.connected(generation: generation), of: key)
        return tell(key)
      }
    } catch { throw .store(error) }
    throw .store(.unavailable)
  }

  func tell(_ key: ConnectionKey) {
    guard case .subject(let subject) = key.owner else { return }
    changes.apply([.connectionChanged(provider: key.provider.rawValue, subject)])
  }

  /// One for each provider, so that the answer of one cannot pass for another's. Source: RFC 9700 §4.4.2.2.
  private func redirectURI(of id: ProviderID) -> String { "\(issuer)/connect/\(id.rawValue)/callback" }
}
