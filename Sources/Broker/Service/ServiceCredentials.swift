import Cryptography
import OAuthCore
import Synchronization

/// Postern's own credentials at its providers, for the whole process: memory, then the store, then the provider.
///
/// A provider is called by nobody but the one task that renews its credential. That task belongs to this object, not to
/// a caller: callers may come and go, and `shutdown` waits until what was received is stored. Renewal starts with the
/// first demand inside the soft margin, so a provider that nobody uses is left alone.
///
/// While a credential is live, failures are invisible to callers; they are told to `observer`.
public final class ServiceCredentials: Sendable {
  /// One provider as it is configured. A change of what is asked for makes a new entry, so that a renewal in flight
  /// answers only those who asked for what it obtains.
  private struct Entry {
    var provider: Provider
    var slot = CredentialSlot()
    var waiters: [Waiter] = []
    /// Counts credentials: the task of the newest only goes on storing.
    var credentialCount = 0
  }

  private typealias EntryNumber = Int

  private struct State {
    var current: [ProviderID: EntryNumber] = [:]
    var entries: [EntryNumber: Entry] = [:]
    var entryCount = 0
    var tasks: [Int: Task<Void, Never>] = [:]
    var taskCount = 0
    var isShuttingDown = false
  }

  private typealias Waiter = CheckedContinuation<Result<LiveCredential, BrokerFailure>, Never>

  private let state: Mutex<State>
  private let store: any ConnectionStore
  private let transport: any ProviderTransport
  private let sealer: CredentialSealer
  private let clock: any WallClock
  private let random: any RandomSource
  private let sleeper: any Sleeper
  private let executor: (any TaskExecutor)?
  private let observer: any BrokerObserver
  private let limits: BrokerLimits

  /// - Parameter executor: where store and provider are called from, such as a loop; nil: the default executor.
  public init(
    providers: [Provider], store: any ConnectionStore, transport: any ProviderTransport, keyRing: KeyRing,
    clock: any WallClock, random: any RandomSource, sleeper: any Sleeper, executor: (any TaskExecutor)?,
    observer: any BrokerObserver, limits: BrokerLimits = BrokerLimits()
  ) {
    state = Mutex(State())
    self.store = store
    self.transport = transport
    sealer = CredentialSealer(ring: keyRing)
    self.clock = clock
    self.random = random
    self.sleeper = sleeper
    self.executor = executor
    self.observer = observer
    self.limits = limits
    reconfigure(providers)
  }

  /// A live credential, obtained if need be.
  ///
  /// Waits only while there is none that may be sent; at most for the limits of one renewal. Whoever keeps the result
  /// asks again from its `renewAt` on.
  ///
  /// - Throws: `unavailable` or `refused` when there is no live one and the provider gives none, at once while the pause
  ///   after a failure lasts.
  public func credential(for provider: ProviderID) async throws(BrokerFailure) -> LiveCredential {
    let result = await withCheckedContinuation { (waiter: Waiter) in
      let now = clock.now
      let answer = state.withLock { demand(provider, by: waiter, at: now, &$0) }
      if let answer { waiter.resume(returning: answer) }
    }
    return try result.get()
  }

  /// Replaces the providers. A credential whose request has not changed stays; the others are asked for anew.
  ///
  /// - Parameter providers: ids unique.
  public func reconfigure(_ providers: [Provider]) {
    state.withLock { state in
      let old = state.current
      state.current = [:]
      for provider in providers {
        precondition(state.current[provider.id] == nil, "provider '\(provider.id)' is given twice")
        if let number = old[provider.id], var entry = state.entries[number], entry.provider.isInterchangeable(with: provider) {
          // A new client secret may be the answer to a refusal: the pause after it ends.
          if entry.provider != provider { entry.slot.reopen() }
          entry.provider = provider
          state.entries[number] = entry
          state.current[provider.id] = number
        } else {
          state.entryCount += 1
          state.entries[state.entryCount] = Entry(provider: provider)
          state.current[provider.id] = state.entryCount
        }
      }
      let numbers = Set(state.current.values)
      state.entries = state.entries.filter { numbers.contains($0.key) || $0.value.slot.isRenewing }
    }
  }

  /// Starts nothing from now on, and returns when everything received is stored or given up: after the deadline of one
  /// provider call and a few tries to store at most.
  public func shutdown() async {
    let tasks = state.withLock { state in
      state.isShuttingDown = true
      return Array(state.tasks.values)
    }
    for task in tasks { await task.value }
  }

  // MARK: Demand

  /// - Returns: nil when `waiter` was put to wait.
  private func demand(
    _ id: ProviderID, by waiter: Waiter, at now: Timestamp, _ state: inout State
  ) -> Result<LiveCredential, BrokerFailure>? {
    guard let number = state.current[id], var entry = state.entries[number] else { return .failure(.unknownProvider) }
    // A process that ends starts no renewal; what it has serves on.
    if state.isShuttingDown, !entry.slot.isRenewing {
      return entry.slot.live(at: now).map { .success($0) } ?? .failure(.unavailable(retryAfter: limits.transientPauseMin))
    }
    defer { state.entries[number] = entry }
    switch entry.slot.demand(at: now) {
    case .fail(let failure): return .failure(failure)
    case .serve(let credential, let renew):
      if renew { startRenewal(of: number, entry.provider, known: credential.expiresAt, &state) }
      return .success(credential)
    case .wait(let renew):
      entry.waiters.append(waiter)
      if renew { startRenewal(of: number, entry.provider, known: nil, &state) }
      return nil
    }
  }

  private func startRenewal(of number: EntryNumber, _ provider: Provider, known: Timestamp?, _ state: inout State) {
    state.taskCount += 1
    let task = state.taskCount
    state.tasks[task] = Task(executorPreference: executor) { [self] in
      await renew(number, provider, known: known)
      self.state.withLock { $0.tasks[task] = nil }
    }
  }

  // MARK: Renewal

  private func renew(_ number: EntryNumber, _ provider: Provider, known: Timestamp?) async {
    let connection = ConnectionKey(provider: provider.id, owner: .service)
    let renewal = Renewal(
      connection: connection, request: TokenRequest(provider: provider, deadline: limits.providerDeadline),
      store: store, transport: transport, sealer: sealer, clock: clock, sleeper: sleeper, observer: observer,
      limits: limits, mayWait: { [self] in !state.withLock { $0.isShuttingDown } })
    switch await renewal.run(known: known) {
    case .adopted(let record, let generation):
      observer.observe(.adopted(generation: generation), of: connection)
      succeed(number, with: record, generation: generation)
    case .obtained(let record, let lease):
      let credentialNumber = succeed(number, with: record, generation: lease.map { $0.generation + 1 })
      await keep(record, lease: lease, of: connection) { [self] in isNewest(credentialNumber, of: number) }
    case .failed(let failure, let lease):
      let pause = fail(number, failure)
      observer.observe(.failed(failure, pause: pause), of: connection)
      // Should this fail, the lease runs out by itself, only later.
      if let lease { try? await store.release(lease, pause: pause) }
    case .waited(let remaining):
      let pause = max(remaining, limits.transientPauseMin)
      finish(number) { entry, now in .failure(entry.slot.fail(refusal: nil, pause: pause, at: now)) }
    }
  }

  private func keep(
    _ record: CredentialRecord, lease: ConnectionLease?, of connection: ConnectionKey,
    isNewest: @escaping @Sendable () -> Bool
  ) async {
    let keeper = CredentialKeeper(
      connection: connection, store: store, sealer: sealer, clock: clock, sleeper: sleeper, observer: observer,
      limits: limits)
    let triesAtShutdown = Mutex(limits.storeTriesAtShutdown)
    await keeper.keep(record, lease: lease) { [self] in
      guard isNewest() else { return false }
      guard state.withLock({ $0.isShuttingDown }) else { return true }
      return triesAtShutdown.withLock { tries in
        tries -= 1
        return tries >= 0
      }
    }
  }

  private func isNewest(_ credentialNumber: Int, of number: EntryNumber) -> Bool {
    state.withLock { $0.entries[number]?.credentialCount == credentialNumber }
  }

  /// - Parameter generation: nil: the store was not there to give one; the next after ours names it in this process.
  /// - Returns: the number of the credential among those of its entry.
  @discardableResult
  private func succeed(_ number: EntryNumber, with record: CredentialRecord, generation: Int64?) -> Int {
    let jitter = jitter()
    var credentialNumber = 0
    finish(number) { entry, _ in
      let next = (entry.slot.credential?.generation ?? 0) + 1
      let credential = record.live(generation: generation ?? next, jitter: jitter)
      entry.slot.succeed(with: credential)
      entry.credentialCount += 1
      credentialNumber = entry.credentialCount
      return .success(credential)
    }
    return credentialNumber
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
      // The configuration moved on meanwhile: nobody will ask this entry again.
      state.entries[number] = state.current[entry.provider.id] == number ? entry : nil
      return (waiters, answer)
    }
    for waiter in waiters { waiter.resume(returning: answer) }
  }

  /// Uniform in 0..<1.
  private func jitter() -> Double { Double(random.words().0 >> 11) / Double(1 << 53) }
}

extension Provider {
  /// Whether a token obtained for one is what the other would get.
  fileprivate func isInterchangeable(with other: Provider) -> Bool {
    id == other.id && TokenRequest(provider: self, deadline: .zero).fingerprint
      == TokenRequest(provider: other, deadline: .zero).fingerprint
  }
}
