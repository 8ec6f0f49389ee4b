import Broker
import Cryptography
import OAuthCore
import Synchronization

/// `UserConnectionStore` in memory, for the connections of users, with an outage at will.
public final class InMemoryUserConnectionStore: UserConnectionStore {
  public struct Row: Sendable {
    public var state: ConnectionState?
    public var generation: Int64 = 0
    public var sealed: [UInt8]?
    public var expiresAt = Timestamp(microseconds: 0)
    public var epoch: Int64 = 0
    public var leaseEndsAt: Timestamp?
    public var hasOpenAttempt = false
    public var connectedAt = Timestamp(microseconds: 0)

    var credential: StoredCredential? {
      sealed.map { StoredCredential(generation: generation, sealed: $0, expiresAt: expiresAt) }
    }
  }

  private struct State {
    var rows: [ConnectionKey: Row] = [:]
    var isDown = false
    var lookUpCount = 0
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

  public subscript(_ key: ConnectionKey) -> Row? {
    get { state.withLock { $0.rows[key] } }
    set { state.withLock { $0.rows[key] = newValue } }
  }

  public func credential(of connection: ConnectionKey) async throws(StoreFailure) -> StoredCredential? {
    try answer { $0.rows[connection]?.credential }
  }

  public func connection(_ key: ConnectionKey) async throws(StoreFailure) -> UserConnection? {
    try answer { state in
      state.lookUpCount += 1
      guard let row = state.rows[key], let connectionState = row.state else { return nil }
      return UserConnection(state: connectionState, credential: row.credential)
    }
  }

  public func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary] {
    try answer { state in
      state.rows.compactMap { key, row in
        guard key.owner == .subject(subject), let connectionState = row.state, connectionState != .revoked else { return nil }
        return ConnectionSummary(provider: key.provider, state: connectionState, connectedAt: row.connectedAt)
      }.sorted { $0.provider.rawValue < $1.provider.rawValue }
    }
  }

  public func takeLease(
    on connection: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome {
    try await takeRefreshLease(on: connection, generation: generation, for: duration)
  }

  public func takeRefreshLease(
    on key: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome {
    try answer { state in
      guard var row = state.rows[key], row.state == .active, row.generation == generation else { return .moved }
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
      guard var row = state.rows[lease.connection], row.generation == lease.generation else { return .superseded }
      row.state = .active
      row.generation = credential.generation
      row.sealed = credential.sealed
      row.expiresAt = credential.expiresAt
      row.leaseEndsAt = nil
      row.hasOpenAttempt = false
      state.rows[lease.connection] = row
      return .stored
    }
  }

  public func release(_ lease: ConnectionLease, pause: Duration) async throws(StoreFailure) {
    let end = clock.now + pause
    _ = try update(lease) { row in
      row.leaseEndsAt = end
      row.hasOpenAttempt = false
    }
  }

  public func requireReauthentication(
    _ reason: ReauthenticationReason, under lease: ConnectionLease
  ) async throws(StoreFailure) {
    _ = try update(lease) { row in
      row.state = .needsReauthentication(reason)
      row.leaseEndsAt = nil
      row.hasOpenAttempt = false
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
      row.state = .active
      row.generation = credential.generation
      row.sealed = credential.sealed
      row.expiresAt = credential.expiresAt
      row.epoch += 1
      row.leaseEndsAt = nil
      row.hasOpenAttempt = false
      row.connectedAt = now
      state.rows[key] = row
      return .stored
    }
  }

  public func revoke(_ key: ConnectionKey) async throws(StoreFailure) {
    try answer { state in
      guard var row = state.rows[key] else { return }
      row.state = .revoked
      row.generation += 1
      row.sealed = nil
      row.epoch += 1
      row.leaseEndsAt = nil
      row.hasOpenAttempt = false
      state.rows[key] = row
    }
  }

  private func update(_ lease: ConnectionLease, _ change: (inout Row) -> Void) throws(StoreFailure) -> CommitOutcome {
    try answer { state in
      guard var row = state.rows[lease.connection], row.generation == lease.generation, row.epoch == lease.epoch else {
        return .superseded
      }
      change(&row)
      state.rows[lease.connection] = row
      return .stored
    }
  }

  private func answer<Result>(_ body: (inout State) -> Result) throws(StoreFailure) -> Result {
    let result: Result? = state.withLock { $0.isDown ? nil : body(&$0) }
    guard let result else { throw .unavailable }
    return result
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
    _ stateDigest: Digest256, provider: ProviderID, subject: Subject, session: Locator, at now: Timestamp
  ) async throws(StoreFailure) -> [UInt8]? {
    flows.withLock { flows in
      guard let flow = flows[stateDigest], flow.provider == provider, flow.subject == subject, flow.session == session,
        now < flow.expiresAt
      else { return nil }
      flows[stateDigest] = nil
      return flow.sealedVerifier
    }
  }
}
