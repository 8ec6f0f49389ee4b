import Broker
import OAuthCore
import Synchronization

/// The law of `ConnectionStore` in memory, with an outage at will.
final class InMemoryConnectionStore: ConnectionStore {
  struct Row {
    var stored: StoredCredential?
    var epoch: Int64 = 0
    var leaseEndsAt: Timestamp?
    var generation: Int64 { stored?.generation ?? 0 }
  }

  private struct State {
    var rows: [ConnectionKey: Row] = [:]
    var isDown = false
    var outcomes: [CommitOutcome] = []
  }

  private let time: ManualTime
  private let state = Mutex(State())

  init(time: ManualTime) { self.time = time }

  var isDown: Bool {
    get { state.withLock { $0.isDown } }
    set { state.withLock { $0.isDown = newValue } }
  }

  var commitOutcomes: [CommitOutcome] { state.withLock { $0.outcomes } }

  func row(_ provider: ProviderID) -> Row? {
    state.withLock { $0.rows[ConnectionKey(provider: provider, owner: .service)] }
  }

  func setCredential(_ credential: StoredCredential?, of provider: ProviderID) {
    state.withLock { $0.rows[ConnectionKey(provider: provider, owner: .service), default: Row()].stored = credential }
  }

  func extendLease(of provider: ProviderID, to end: Timestamp) {
    state.withLock { $0.rows[ConnectionKey(provider: provider, owner: .service)]?.leaseEndsAt = end }
  }

  func credential(of connection: ConnectionKey) async throws(StoreFailure) -> StoredCredential? {
    try answer { $0.rows[connection]?.stored }
  }

  func takeLease(
    on connection: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome {
    try answer { state in
      var row = state.rows[connection] ?? Row()
      guard row.generation == generation else { return .moved }
      if let end = row.leaseEndsAt, end > time.now { return .held(remaining: end - time.now) }
      row.epoch += 1
      row.leaseEndsAt = time.now + duration
      state.rows[connection] = row
      return .taken(ConnectionLease(connection: connection, generation: generation, epoch: row.epoch))
    }
  }

  func commit(_ credential: StoredCredential, under lease: ConnectionLease) async throws(StoreFailure) -> CommitOutcome {
    try answer { state in
      var outcome = CommitOutcome.superseded
      if var row = state.rows[lease.connection], row.generation == lease.generation, row.epoch == lease.epoch {
        row.stored = credential
        row.leaseEndsAt = nil
        state.rows[lease.connection] = row
        outcome = .stored
      }
      state.outcomes.append(outcome)
      return outcome
    }
  }

  func release(_ lease: ConnectionLease, pause: Duration) async throws(StoreFailure) {
    try answer { state in
      guard state.rows[lease.connection]?.epoch == lease.epoch else { return }
      state.rows[lease.connection]?.leaseEndsAt = time.now + pause
    }
  }

  private func answer<Result>(_ body: (inout State) -> Result) throws(StoreFailure) -> Result {
    let result: Result? = state.withLock { $0.isDown ? nil : body(&$0) }
    guard let result else { throw .unavailable }
    return result
  }
}
