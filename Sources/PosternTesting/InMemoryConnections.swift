import Broker
import Cryptography
import OAuthCore
import Synchronization

/// `UserConnectionStore` in memory, with an outage at will.
public final class InMemoryConnectionStore: UserConnectionStore {
  public struct Row: Sendable {
    public var state: ConnectionState?
    public var generation: Int64 = 0
    public var credential: StoredCredential?
    public var kept: [KeptCredential] = []
    public var epoch: Int64 = 0
    public var leaseEndsAt: Timestamp?
    public var hasOpenAttempt = false
    public var connectedAt = Timestamp(microseconds: 0)
    public var scopes: [String] = []

    public init(
      state: ConnectionState? = nil, generation: Int64 = 0, credential: StoredCredential? = nil, epoch: Int64 = 0
    ) {
      self.state = state
      self.generation = generation
      self.credential = credential
      self.epoch = epoch
    }
  }

  private struct State {
    var rows: [ConnectionKey: Row] = [:]
    var isDown = false
    var lookUpCount = 0
    var commitOutcomes: [CommitOutcome] = []
  }

  private let clock: any WallClock
  private let state = Mutex(State())

  public init(clock: any WallClock) { self.clock = clock }

  public var isDown: Bool {
    get { state.withLock { $0.isDown } }
    set { state.withLock { $0.isDown = newValue } }
  }

  /// How often a connection was looked up.
  public var lookUpCount: Int { state.withLock { $0.lookUpCount } }
  public var commitOutcomes: [CommitOutcome] { state.withLock { $0.commitOutcomes } }

  public subscript(_ key: ConnectionKey) -> Row? {
    get { state.withLock { $0.rows[key] } }
    set { state.withLock { $0.rows[key] = newValue } }
  }

  /// The users' connections, in the order of provider and subject.
  public var users: [(key: ConnectionKey, row: Row)] {
    let rows = state.withLock { $0.rows.filter { $0.key.owner != .service } }
    return rows.map { (key: $0.key, row: $0.value) }.sorted { "\($0.key)" < "\($1.key)" }
  }

  // MARK: ConnectionStore

  public func connection(_ key: ConnectionKey) async throws(StoreFailure) -> StoredConnection? {
    try answer { state in
      state.lookUpCount += 1
      guard let row = state.rows[key], let connectionState = row.state else { return nil }
      return StoredConnection(state: connectionState, credential: row.credential)
    }
  }

  public func keptCredentials(of key: ConnectionKey) async throws(StoreFailure) -> [KeptCredential] {
    try answer { $0.rows[key]?.kept ?? [] }
  }

  public func takeLease(
    on key: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome {
    try answer { state in
      guard var row = state.rows[key] ?? (key.isRepeatable ? Row() : nil), key.isRepeatable || row.state == .active,
        row.generation == generation
      else { return .moved }
      if let end = row.leaseEndsAt, end > clock.now { return .held(remaining: end - clock.now) }
      let isInDoubt = row.hasOpenAttempt
      row.epoch += 1
      row.leaseEndsAt = clock.now + duration
      row.hasOpenAttempt = true
      state.rows[key] = row
      return .taken(ConnectionLease(connection: key, generation: generation, epoch: row.epoch, isInDoubt: isInDoubt))
    }
  }

  public func commit(_ credential: StoredCredential, under lease: ConnectionLease) async throws(StoreFailure) -> CommitOutcome {
    try answer { state in
      let isService = lease.connection.owner == .service
      var outcome = CommitOutcome.superseded
      if var row = state.rows[lease.connection] {
        if row.generation == lease.generation, !isService || row.epoch == lease.epoch {
          if let old = row.credential, !isService { row.keep(old, wasPresented: true) }
          row.kept.removeAll { $0.credential.generation < lease.generation - 1 }
          row.replace(with: credential)
          outcome = .stored
        } else if row.generation == lease.generation + 1, row.state != .revoked, !isService, row.credential != credential {
          row.keep(credential, wasPresented: false)
        }
        state.rows[lease.connection] = row
      }
      state.commitOutcomes.append(outcome)
      return outcome
    }
  }

  public func release(_ lease: ConnectionLease, as outcome: RefreshAttemptOutcome, pause: Duration) async throws(StoreFailure) {
    let end = clock.now + pause
    try update(lease) { row in
      row.leaseEndsAt = end
      row.hasOpenAttempt = lease.isInDoubt || outcome == .unknown
    }
  }

  public func requireReauthentication(
    _ reason: ReauthenticationReason, under lease: ConnectionLease
  ) async throws(StoreFailure) {
    try update(lease) { row in
      row.state = .needsReauthentication(reason)
      row.leaseEndsAt = nil
      row.hasOpenAttempt = false
    }
  }

  // MARK: UserConnectionStore

  public func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary] {
    try answer { state in
      state.rows.compactMap { key, row in
        guard key.owner == .subject(subject), let connectionState = row.state, connectionState != .revoked else { return nil }
        return ConnectionSummary(provider: key.provider, state: connectionState, connectedAt: row.connectedAt, scopes: row.scopes)
      }.sorted { $0.provider.rawValue < $1.provider.rawValue }
    }
  }

  public func prepare(_ key: ConnectionKey) async throws(StoreFailure) -> Int64 {
    try answer { state in
      state.rows[key, default: Row()].epoch += 0
      return state.rows[key]?.generation ?? 0
    }
  }

  public func establish(
    _ credential: StoredCredential, of key: ConnectionKey, at now: Timestamp
  ) async throws(StoreFailure) -> CommitOutcome {
    try answer { state in
      guard var row = state.rows[key], row.generation == credential.generation - 1 else { return .superseded }
      row.replace(with: credential)
      row.kept = []
      row.epoch += 1
      row.connectedAt = now
      row.scopes = credential.scopes ?? []
      state.rows[key] = row
      return .stored
    }
  }

  public func revoke(_ key: ConnectionKey) async throws(StoreFailure) {
    try answer { state in
      guard let old = state.rows[key] else { return }
      state.rows[key] = Row(state: .revoked, generation: old.generation + 1, epoch: old.epoch + 1)
    }
  }

  private func update(_ lease: ConnectionLease, _ change: (inout Row) -> Void) throws(StoreFailure) {
    try answer { state in
      guard var row = state.rows[lease.connection], row.generation == lease.generation, row.epoch == lease.epoch else {
        return
      }
      change(&row)
      state.rows[lease.connection] = row
    }
  }

  private func answer<Result>(_ body: (inout State) -> Result) throws(StoreFailure) -> Result {
    let result: Result? = state.withLock { $0.isDown ? nil : body(&$0) }
    guard let result else { throw .unavailable }
    return result
  }
}

extension InMemoryConnectionStore.Row {
  fileprivate mutating func keep(_ credential: StoredCredential, wasPresented: Bool) {
    kept.insert(KeptCredential(credential: credential, wasPresented: wasPresented), at: 0)
  }

  fileprivate mutating func replace(with credential: StoredCredential) {
    state = .active
    generation = credential.generation
    self.credential = credential
    leaseEndsAt = nil
    hasOpenAttempt = false
  }
}

/// `ConnectFlowStore` in memory.
public final class InMemoryConnectFlowStore: ConnectFlowStore {
  private let flows = Mutex<[Digest256: ConnectFlow]>([:])

  public init() {}

  public var count: Int { flows.withLock { $0.count } }

  public func begin(_ flow: ConnectFlow, at now: Timestamp) async throws(StoreFailure) {
    flows.withLock { flows in
      flows = flows.filter { now < $0.value.expiresAt }
      flows[flow.stateDigest] = flow
    }
  }

  public func take(
    _ stateDigest: Digest256, provider: ProviderID, subject: Subject?, session: Locator, at now: Timestamp
  ) async throws(StoreFailure) -> TakenFlow? {
    flows.withLock { flows in
      guard let flow = flows[stateDigest], flow.provider == provider, flow.isTicketed || flow.subject == subject,
        flow.session == session, now < flow.expiresAt
      else { return nil }
      flows[stateDigest] = nil
      return TakenFlow(subject: flow.subject, sealedSecrets: flow.sealedSecrets)
    }
  }
}
