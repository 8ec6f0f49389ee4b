import Cryptography
import OAuthCore

/// Connects users' accounts at providers and disconnects them: authorization code with PKCE, Postern being the client.
///
/// Source: RFC 6749 §4.1; RFC 7636; RFC 9700 §2.1.1, §4.7 (`state` bound to the browser), §4.4.2 (mix-up: `iss`, and a
/// redirect URI for each provider).
public struct Connector: Sendable {
  /// From leaving for the provider to coming back.
  public static let flowLifetime = Duration.seconds(10 * 60)
  /// `code` and `state`; longer ones were not made by a provider that means it. Bytes.
  static let parameterByteCountMax = 4096
  /// Tries to store while refreshes or other tabs are storing, too.
  private static let establishCountMax = 5
  private static let purpose: KeyPurpose = "connect flow"

  private let providers: [ProviderID: Provider]
  private let issuer: String
  private let flows: any ConnectFlowStore
  private let connections: any UserConnectionStore
  private let transport: any ProviderTransport
  private let ring: KeyRing
  private let random: any RandomSource
  private let clock: any WallClock
  private let observer: any BrokerObserver
  private let changes: any ChangeObserver
  private let limits: BrokerLimits

  /// - Parameters:
  ///   - providers: those without `authorization` are left out.
  ///   - issuer: where the pages live, without a slash at the end.
  ///   - changes: hears of what is changed here before the browser does.
  public init(
    providers: [Provider], issuer: String, flows: any ConnectFlowStore, connections: any UserConnectionStore,
    transport: any ProviderTransport, keyRing: KeyRing, random: any RandomSource, clock: any WallClock,
    observer: any BrokerObserver, changes: any ChangeObserver, limits: BrokerLimits = BrokerLimits()
  ) {
    self.providers = Dictionary(
      providers.filter { $0.authorization != nil }.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    self.issuer = issuer
    self.flows = flows
    self.connections = connections
    self.transport = transport
    ring = keyRing
    self.random = random
    self.clock = clock
    self.observer = observer
    self.changes = changes
    self.limits = limits
  }

  /// The providers that users can connect to, in order.
  public var connectable: [ProviderID] { providers.keys.sorted { $0.rawValue < $1.rawValue } }

  public func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary] {
    try await connections.connections(of: subject)
  }

  // MARK: Out

  /// Begins a flow. Any number may be under way in one browser.
  ///
  /// - Parameter session: of the signed-in browser.
  /// - Returns: the provider's address for the browser; nil when users cannot connect to such a provider.
  public func begin(_ id: ProviderID, for subject: Subject, session: Locator) async throws(StoreFailure) -> String? {
    guard let provider = providers[id], let authorization = provider.authorization else { return nil }
    let now = clock.now
    let state = Base64URL.encode(random.bytes(32))
    let verifier = Base64URL.encode(random.bytes(32))
    let digest = SHA256.digest(state)
    let flow = ConnectFlow(
      stateDigest: digest, provider: id, subject: subject, session: session,
      sealedVerifier: ring.seal(Array(verifier.utf8), purpose: Self.purpose, associatedData: digest.bytes),
      expiresAt: now + Self.flowLifetime)
    try await flows.begin(flow, at: now)
    return provider.authorizationURL(
      authorization, redirectURI: redirectURI(of: id), state: state,
      challenge: Base64URL.encode(SHA256.digest(verifier).bytes))
  }

  // MARK: Back

  /// What the provider sent the browser back with: the query of the redirect URI. Source: RFC 6749 §4.1.2.
  public struct Answer: Sendable {
    public var state: String?
    public var code: String?
    public var error: String?
    public var issuer: String?

    public init(state: String?, code: String?, error: String?, issuer: String?) {
      self.state = state
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
    /// The user, or the provider, said no. Source: RFC 6749 §4.1.2.1.
    case denied
    /// The provider could not do it.
    case providerFailed
    case store(StoreFailure)
  }

  /// Takes the answer, gets the tokens and keeps them. The flow is over whatever the answer says.
  public func finish(
    _ id: ProviderID, _ answer: Answer, for subject: Subject, session: Locator
  ) async throws(Failure) {
    guard let provider = providers[id], let authorization = provider.authorization else { throw .unknownProvider }
    let verifier = try await verifier(id, answer.state, subject, session)
    if let issuer = authorization.issuer, answer.issuer != issuer { throw .otherIssuer }
    if let error = answer.error { throw Self.isTemporary(error) ? .providerFailed : .denied }
    guard let code = answer.code, code.utf8.count <= Self.parameterByteCountMax else { throw .providerFailed }
    let key = ConnectionKey(provider: id, owner: .subject(subject))
    let record = try await redeem(Secret(code), verifier, at: provider, for: key)
    try await keep(record, of: key)
  }

  private func verifier(
    _ id: ProviderID, _ state: String?, _ subject: Subject, _ session: Locator
  ) async throws(Failure) -> Secret {
    guard let state, state.utf8.count <= Self.parameterByteCountMax else { throw .noFlow }
    let digest = SHA256.digest(state)
    let sealed: [UInt8]?
    do {
      sealed = try await flows.take(digest, provider: id, subject: subject, session: session, at: clock.now)
    } catch { throw .store(error) }
    guard let sealed, let bytes = ring.open(sealed, purpose: Self.purpose, associatedData: digest.bytes) else {
      throw .noFlow
    }
    return Secret(bytes: bytes)
  }

  /// Source: RFC 6749 §4.1.2.1: the provider's trouble, not a no.
  private static func isTemporary(_ error: String) -> Bool { error == "server_error" || error == "temporarily_unavailable" }

  private func redeem(
    _ code: Secret, _ verifier: Secret, at provider: Provider, for key: ConnectionKey
  ) async throws(Failure) -> CredentialRecord {
    let request = TokenRequest(
      provider: provider,
      grant: .authorizationCode(code, redirectURI: redirectURI(of: provider.id), verifier: verifier),
      deadline: limits.providerDeadline)
    let sentAt = clock.now
    do {
      return CredentialRecord(try await request.send(over: transport), to: request, sentAt: sentAt, replacing: nil)
    } catch {
      observer.observe(.failed(error, pause: .zero), of: key)
      throw .providerFailed
    }
  }

  private func keep(_ record: CredentialRecord, of key: ConnectionKey) async throws(Failure) {
    let sealer = CredentialSealer(ring: ring)
    do {
      for _ in 0..<Self.establishCountMax {
        let generation = try await connections.prepare(key) + 1
        let sealed = sealer.seal(record, of: key, generation: generation, jitter: random.jitter())
        guard try await connections.establish(sealed, of: key, at: clock.now) == .stored else { continue }
        observer.observe(.connected(generation: generation), of: key)
        return tell(key)
      }
    } catch { throw .store(error) }
    throw .store(.unavailable)
  }

  // MARK: Ending

  /// Forgets a connection here, then tells the provider. Source: RFC 7009 §2.1.
  ///
  /// The provider's no does not matter: what is not kept here is not used from here.
  public func disconnect(_ id: ProviderID, of subject: Subject) async throws(StoreFailure) {
    let key = ConnectionKey(provider: id, owner: .subject(subject))
    let stored = try await connections.connection(key)
    try await connections.revoke(key)
    observer.observe(.disconnected, of: key)
    tell(key)
    guard let provider = providers[id], let endpoint = provider.authorization?.revocationEndpoint,
      let credential = stored?.credential, let record = CredentialSealer(ring: ring).open(credential, of: key)
    else { return }
    // Ending the refresh token ends the access tokens of the grant. Source: RFC 7009 §2.1.
    let (token, hint) = record.refreshToken.map { ($0, "refresh_token") } ?? (record.accessToken, "access_token")
    let request = provider.authenticatedRequest(
      to: endpoint, [("token", token.exposedText), ("token_type_hint", hint)], deadline: limits.providerDeadline)
    let response = try? await transport.send(request)
    if response?.status != 200 { observer.observe(.notRevokedAtProvider, of: key) }
  }

  private func tell(_ key: ConnectionKey) {
    guard case .subject(let subject) = key.owner else { return }
    changes.apply([.connectionChanged(provider: key.provider.rawValue, subject)])
  }

  /// One for each provider, so that the answer of one cannot pass for another's. Source: RFC 9700 §4.4.2.2.
  private func redirectURI(of id: ProviderID) -> String { "\(issuer)/connect/\(id.rawValue)/callback" }
}
