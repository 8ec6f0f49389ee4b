import Broker
import Configuration
import Cryptography
import EventLoop
import OAuthCore
import PostgresStore

/// What the token plane knows and remembers whatever the configuration says: made once, and handed to each `TokenPlane`,
/// so that a new configuration makes nobody's failed attempts, revocations or verified secrets forgotten.
struct TokenServices: Sendable {
  let issuer: String
  let ring: KeyRing
  let stores: Stores
  let tokens: AnnouncingTokenStore<PostgresTokenStore>
  let clients: CachingClientDirectory<PostgresClientStore>
  let handles: HandleMint
  let signingKeys: SigningKeys
  let limiter = FailureLimiter()
  let secrets: SecretVerification
  let audit = LoggedAudit()
  let verifier: AccessTokenVerifier
  let clock: any WallClock
  /// Carries requests to providers.
  let transport: any ProviderTransport
  /// What providers publish.
  let directory: ProviderDirectory
  /// What the vault holds.
  let credentials: LiveCredentials
  /// Hears at once of what is changed here.
  let changes: ChangeRelay
  /// Whether others' changes are heard of in time, once there is a feed.
  let freshness = LaterFreshness()

  /// - Parameter changes: gets whoever has to hear of changes so that nothing outdated is believed.
  init(
    _ configuration: Configuration, stores: Stores, signingKeys: SigningKeys, changes: ChangeRelay, workers: WorkerPool,
    transport: any ProviderTransport, directory: ProviderDirectory, credentials: LiveCredentials, clock: any WallClock
  ) {
    let random = SystemRandom()
    issuer = configuration.issuer.description
    ring = configuration.keys
    self.stores = stores
    self.signingKeys = signingKeys
    self.clock = clock
    self.transport = transport
    self.directory = directory
    self.credentials = credentials
    self.changes = changes
    tokens = AnnouncingTokenStore(base: stores.tokens, observer: changes)
    clients = CachingClientDirectory(configured: configuration.clients, source: stores.clients, clock: clock)
    handles = HandleMint(ring: ring, random: random)
    secrets = SecretVerification(work: PooledWork(pool: workers), random: random)
    let revocations = RevocationSet(clock: clock)
    verifier = AccessTokenVerifier(
      issuer: issuer, handles: handles, store: tokens, clients: clients, signingKeys: signingKeys,
      revocations: revocations, freshness: freshness, clock: clock)
    changes.add([clients, revocations, SigningKeyReload(keys: signingKeys, store: stores.signingKeys, ring: ring)])
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
