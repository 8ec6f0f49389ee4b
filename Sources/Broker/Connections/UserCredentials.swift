import Cryptography
import OAuthCore
import Synchronization

/// The credentials that users have connected, for the whole process: memory, then the store, then the provider.
///
/// A provider is called by nobody but the one task that renews a credential. That task belongs to this object, not to a
/// caller: callers may come and go, and `shutdown` waits until what was received is stored. Renewal starts with the first
/// demand inside the soft margin.
///
/// What is remembered is forgotten when the connection changes here or elsewhere; what is being renewed at that moment
/// answers only those who asked before.
public final class UserCredentials: Sendable, ChangeObserver {
  private struct Entry {
    let key: ConnectionKey
    var slot = CredentialSlot()
    /// That there is no connection to use, until then: a caller that keeps asking does not reach the store each time.
    var ended: (failure: BrokerFailure, until: Timestamp)?
    var waiters: [Waiter] = []
  }

  private typealias EntryNumber = Int
  private typealias Waiter = CheckedContinuation<Result<LiveCredential, BrokerFailure>, Never>

  private struct State {
    var providers: [ProviderID: Provider] = [:]
    var current: [ConnectionKey: EntryNumber] = [:]
    var entries: [EntryNumber: Entry] = [:]
    var entryCount = 0
    var tasks: [Int: Task<Void, Never>] = [:]
    var taskCount = 0
    var isShuttingDown = false
  }

  /// Credentials remembered; at the limit, all that nobody waits for are forgotten and read from the store again.
  public static let rememberedMax = 50_000
  /// How long an ended connection is not looked at again, unless it changes.
  static let endedPause = Duration.seconds(2)

  private let state = Mutex(State())
  private let store: any UserConnectionStore
  private let transport: any ProviderTransport
  private let sealer: CredentialSealer
  private let clock: any WallClock
  private let random: any RandomSource
  private let sleeper: any Sleeper
  private let executor: (any TaskExecutor)?
  private let observer: any BrokerObserver
  private let limits: BrokerLimits
  private let rememberedMax: Int

  /// - Parameters:
  ///   - providers: those without `authorization` are left out.
  ///   - executor: where store and provider are called from, such as a loop; nil: the default executor.
  public init(
    providers: [Provider], store: any UserConnectionStore, transport: any ProviderTransport, keyRing: KeyRing,
    clock: any WallClock, random: any RandomSource, sleeper: any Sleeper, executor: (any TaskExecutor)?,
    observer: any BrokerObserver, limits: BrokerLimits = BrokerLimits(), rememberedMax: Int = UserCredentials.rememberedMax
  ) {
    self.store = store
    self.transport = transport
    sealer = CredentialSealer(ring: keyRing)
    self.clock = clock
    self.random = random
    self.sleeper = sleeper
    self.executor = executor
    self.observer = observer
    self.limits = limits
    self.rememberedMax = rememberedMax
    reconfigure(providers)
  }

  /// A live credential of the subject, refreshed if need be.
  ///
  /// - Throws: `notConnected` or `needsReauthentication` when the user has to act; `unavailable` or `refused` when the
  ///   provider or the store does not help now.
  public func credential(for provider: ProviderID, of subject: Subject) async throws(BrokerFailure) -> LiveCredential {
    let key = ConnectionKey(provider: provider, owner: .subject(subject))
    let result = await withCheckedContinuation { (waiter: Waiter) in
      let now = clock.now
      let answer = state.withLock { demand(key, by: waiter, at: now, &$0) }
      if let answer { waiter.resume(returning: answer) }
    }
    return try result.get()
  }

  /// Replaces the providers. What is remembered of one that has changed is read anew.
  public func reconfigure(_ providers: [Provider]) {
    state.withLock { state in
      let old = state.providers
      state.providers = Dictionary(
        providers.filter { $0.authorization != nil }.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
      let kept = state.providers
      Self.forget(&state) { old[$0.provider] != kept[$0.provider] }
    }
  }

  public func apply(_ changes: [Change]) {
    state.withLock { state in
      for case .connectionChanged(let provider, let subject) in changes {
        Self.forget(ConnectionKey(provider: ProviderID(provider), owner: .subject(subject)), &state)
      }
    }
  }

  public func forgetEverything() { state.withLock { Self.forget(&$0) { _ in true } } }

  /// Starts nothing from now on, and returns when everything received is stored or given up.
  public func shutdown() async {
    let tasks = state.withLock { state in
      state.isShuttingDown = true
      return Array(state.tasks.values)
    }
    for task in tasks { await task.value }
  }

  // MARK: Forgetting

  private static func forget(_ state: inout State, where isForgotten: (ConnectionKey) -> Bool) {
    for key in state.current.keys.filter(isForgotten) { forget(key, &state) }
  }

  /// A renewal in flight goes on for those who wait for it.
  private static func forget(_ key: ConnectionKey, _ state: inout State) {
    guard let number = state.current.removeValue(forKey: key) else { return }
    if state.entries[number]?.slot.isRenewing == false { state.entries[number] = nil }
  }

  // MARK: Demand

  /// - Returns: nil when `waiter` was put to wait.
  private func demand(
    _ key: ConnectionKey, by waiter: Waiter, at now: Timestamp, _ state: inout State
  ) -> Result<LiveCredential, BrokerFailure>? {
    guard let provider = state.providers[key.provider] else { return .failure(.unknownProvider) }
    let number = entry(of: key, &state)
    guard var entry = state.entries[number] else { preconditionFailure("the entry was just made") }
    if let ended = entry.ended, now < ended.until { return .failure(ended.failure) }
    // A process that ends starts no renewal; what it has serves on.
    if state.isShuttingDown, !entry.slot.isRenewing {
      return entry.slot.live(at: now).map { .success($0) } ?? .failure(.unavailable(retryAfter: limits.transientPauseMin))
    }
    defer { state.entries[number] = entry }
    switch entry.slot.demand(at: now) {
    case .fail(let failure): return .failure(failure)
    case .serve(let credential, let renew):
      if renew { startRenewal(of: number, key, provider, known: credential.expiresAt, &state) }
      return .success(credential)
    case .wait(let renew):
      entry.waiters.append(waiter)
      if renew { startRenewal(of: number, key, provider, known: nil, &state) }
      return nil
    }
  }

  private func entry(of key: ConnectionKey, _ state: inout State) -> EntryNumber {
    if let number = state.current[key] { return number }
    if state.current.count >= rememberedMax {
      let entries = state.entries
      let current = state.current
      Self.forget(&state) { key in current[key].flatMap { entries[$0] }?.slot.isRenewing != true }
    }
    state.entryCount += 1
    state.entries[state.entryCount] = Entry(key: key)
    state.current[key] = state.entryCount
    return state.entryCount
  }

  private func startRenewal(
    of number: EntryNumber, _ key: ConnectionKey, _ provider: Provider, known: Timestamp?, _ state: inout State
  ) {
    state.taskCount += 1
    let task = state.taskCount
    state.tasks[task] = Task(executorPreference: executor) { [self] in
      await renew(number, key, provider, known: known)
      self.state.withLock { $0.tasks[task] = nil }
    }
  }

  // MARK: Renewal

  private func renew(_ number: EntryNumber, _ key: ConnectionKey, _ provider: Provider, known: Timestamp?) async {
    let renewal = ConnectionRenewal(
      connection: key, provider: provider, rotation: provider.authorization?.rotation ?? .unknown, store: store,
      transport: transport, sealer: sealer, clock: clock, sleeper: sleeper, observer: observer, limits: limits,
      mayWait: { [self] in !state.withLock { $0.isShuttingDown } })
    switch await renewal.run(known: known) {
    case .adopted(let record, let generation):
      observer.observe(.adopted(generation: generation), of: key)
      succeed(number, with: record, generation: generation)
    case .kept(let record, let generation):
      succeed(number, with: record, generation: generation, isLast: true)
    case .obtained(let record, let lease):
      succeed(number, with: record, generation: lease.generation + 1)
      await keep(record, lease: lease, of: key)
    case .failed(let failure, let lease):
      let pause = fail(number, failure)
      observer.observe(.failed(failure, pause: pause), of: key)
      // Should this fail, the lease runs out by itself, only later; the attempt is then in doubt.
      try? await store.release(lease, pause: pause)
    case .inDoubt(_, let remaining):
      // The lease is left to run out: releasing it would report an outcome that nobody knows.
      pause(number, max(remaining, limits.transientPauseMin))
    case .waited(let remaining): pause(number, max(remaining, limits.transientPauseMin))
    case .storeUnavailable: pause(number, limits.transientPauseMin)
    case .ended(let failure):
      finish(number) { entry, now in
        entry.slot = CredentialSlot()
        entry.ended = (failure, now + Self.endedPause)
        return .failure(failure)
      }
    }
  }

  private func keep(_ record: CredentialRecord, lease: ConnectionLease, of key: ConnectionKey) async {
    let keeper = CredentialKeeper(
      connection: key, store: store, sealer: sealer, clock: clock, sleeper: sleeper, observer: observer, limits: limits)
    let triesAtShutdown = Mutex(limits.storeTriesAtShutdown)
    await keeper.keep(record, lease: lease) { [self] in
      guard state.withLock({ $0.isShuttingDown }) else { return true }
      return triesAtShutdown.withLock { tries in
        tries -= 1
        return tries >= 0
      }
    }
  }

  /// - Parameter isLast: nothing can replace it; it is asked about again when it has ended.
  private func succeed(_ number: EntryNumber, with record: CredentialRecord, generation: Int64, isLast: Bool = false) {
    var credential = record.live(generation: generation, jitter: jitter())
    if isLast { credential.renewAt = credential.expiresAt }
    finish(number) { entry, _ in
      entry.slot.succeed(with: credential)
      return .success(credential)
    }
  }

  /// - Returns: how long no renewal will start.
  private func fail(_ number: EntryNumber, _ failure: TokenEndpointFailure) -> Duration {
    let jitter = jitter()
    var refusal: ProviderRefusal?
    if case .refused(let reason) = failure { refusal = reason }
    var pause = Duration.zero
    finish(number) { entry, now in
      pause = entry.slot.pause(after: failure, limits: limits, jitter: jitter)
      return .failure(entry.slot.fail(refusal: refusal, pause: pause, at: now))
    }
    return pause
  }

  private func pause(_ number: EntryNumber, _ pause: Duration) {
    finish(number) { entry, now in .failure(entry.slot.fail(refusal: nil, pause: pause, at: now)) }
  }

  /// Ends the renewal and answers everybody who waits for it.
  private func finish(
    _ number: EntryNumber, _ change: (inout Entry, Timestamp) -> Result<LiveCredential, BrokerFailure>
  ) {
    let now = clock.now
    let (waiters, answer) = state.withLock { state in
      guard var entry = state.entries[number] else { preconditionFailure("an entry stays while it is renewed") }
      let answer = change(&entry, now)
      let waiters = entry.waiters
      entry.waiters = []
      state.entries[number] = state.current[entry.key] == number ? entry : nil
      return (waiters, answer)
    }
    for waiter in waiters { waiter.resume(returning: answer) }
  }

  /// Uniform in 0..<1.
  private func jitter() -> Double { Double(random.words().0 >> 11) / Double(1 << 53) }
}
