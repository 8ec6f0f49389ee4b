import EventLoop
import OAuthCore
import Synchronization

/// The clients of the configuration before those of the database, which it remembers until the change log says
/// otherwise.
///
/// Misses gather while one query is under way and go out together: a flood of invented ids costs one query a round
/// trip, whatever its rate. May be called from tasks of any loop.
public final class CachingClientDirectory<Source: ClientSource>: ClientDirectory, ChangeObserver {
  /// Ids of one query.
  private static var batchCountMax: Int { 256 }
  /// Callers that may wait; one more is refused with `.overloaded`.
  private static var waiterCountMax: Int { 10_000 }

  private typealias Answer = Result<Client?, StoreFailure>
  private typealias Waiter = CheckedContinuation<Answer, Never>

  private struct State {
    var configured: [ClientID: Client]
    var cache = ClientCache()
    var waiters: [ClientID: [Waiter]] = [:]
    var waiterCount = 0
    /// Ids that no query has taken yet, in the order they came.
    var pending: [ClientID] = []
    var isLoading = false
    /// Counts purges: what was read before one may be outdated after it.
    var purges: UInt64 = 0
  }

  private enum Step {
    case answer(Answer)
    case wait
    case load
  }

  private let source: Source
  private let clock: any WallClock
  private let state: Mutex<State>

  public init(configured: [Client], source: Source, clock: any WallClock) {
    self.source = source
    self.clock = clock
    state = Mutex(State(configured: Self.byID(configured)))
  }

  /// Takes the clients of a configuration that was read again.
  public func replaceConfigured(_ clients: [Client]) { state.withLock { $0.configured = Self.byID(clients) } }

  public func client(_ id: ClientID) async throws(StoreFailure) -> Client? {
    guard id.rawValue.isStorableName else { return nil }
    let now = clock.now
    if let answer = state.withLock({ Self.known(id, $0, at: now) }) { return try answer.get() }
    let answer: Answer = await withCheckedContinuation { waiter in
      switch state.withLock({ Self.join(waiter, id, &$0, at: now) }) {
      case .answer(let answer): waiter.resume(returning: answer)
      case .wait: break
      case .load: startLoading()
      }
    }
    return try answer.get()
  }

  // MARK: ChangeObserver

  public func apply(_ changes: [Change]) {
    state.withLock { state in
      for case .clientChanged(let id) in changes {
        state.cache.forget(id)
        state.purges += 1
      }
    }
  }

  public func forgetEverything() {
    state.withLock { state in
      state.cache.forgetEverything()
      state.purges += 1
    }
  }

  // MARK: Steps, each under the lock

  private static func known(_ id: ClientID, _ state: State, at now: Timestamp) -> Answer? {
    if let client = state.configured[id] { return .success(client) }
    return switch state.cache.find(id, at: now) {
    case .known(let client): .success(client)
    case .absent: .success(nil)
    case .unknown: nil
    }
  }

  private static func join(_ waiter: Waiter, _ id: ClientID, _ state: inout State, at now: Timestamp) -> Step {
    if let answer = known(id, state, at: now) { return .answer(answer) }
    guard state.waiterCount < waiterCountMax else { return .answer(.failure(.overloaded)) }
    state.waiterCount += 1
    if state.waiters[id] == nil { state.pending.append(id) }
    state.waiters[id, default: []].append(waiter)
    guard !state.isLoading else { return .wait }
    state.isLoading = true
    return .load
  }

  /// - Returns: nil when nothing waits; loading has ended then.
  private static func takeBatch(_ state: inout State) -> (ids: [ClientID], purges: UInt64)? {
    guard !state.pending.isEmpty else {
      state.isLoading = false
      return nil
    }
    let ids = Array(state.pending.prefix(batchCountMax))
    state.pending.removeFirst(ids.count)
    return (ids, state.purges)
  }

  private static func takeWaiters(_ id: ClientID, _ state: inout State) -> [Waiter] {
    let waiters = state.waiters.removeValue(forKey: id) ?? []
    state.waiterCount -= waiters.count
    return waiters
  }

  // MARK: Loading

  private func startLoading() {
    guard let loop = EventLoop.current else { preconditionFailure("the directory was called outside of an event loop") }
    loop.task { await self.load() }
  }

  private func load() async {
    while let (ids, purges) = state.withLock({ Self.takeBatch(&$0) }) {
      let now = clock.now
      let result: Result<[RegisteredClient], StoreFailure>
      do {
        result = .success(try await source.clients(ids, at: now))
      } catch {
        result = .failure(error)
      }
      finish(ids, result, purges, at: now)
    }
  }

  private func finish(
    _ ids: [ClientID], _ result: Result<[RegisteredClient], StoreFailure>, _ purges: UInt64, at now: Timestamp
  ) {
    let answered: [([Waiter], Answer)] = state.withLock { state in
      guard case .success(let found) = result else {
        guard case .failure(let failure) = result else { return [] }
        return ids.map { (Self.takeWaiters($0, &state), .failure(failure)) }
      }
      guard state.purges == purges else {
        // Somebody may have joined after the purge: what was read before it is not good enough for him.
        state.pending.append(contentsOf: ids)
        return []
      }
      let byID = Dictionary(found.map { ($0.client.id, $0) }, uniquingKeysWith: { first, _ in first })
      return ids.map { id in
        if let registered = byID[id] {
          state.cache.record(registered, at: now)
        } else {
          state.cache.recordAbsence(id, at: now)
        }
        return (Self.takeWaiters(id, &state), .success(byID[id]?.client))
      }
    }
    for (waiters, answer) in answered {
      for waiter in waiters { waiter.resume(returning: answer) }
    }
  }

  private static func byID(_ clients: [Client]) -> [ClientID: Client] {
    Dictionary(clients.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
  }
}
