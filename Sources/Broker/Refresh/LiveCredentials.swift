import Cryptography
import OAuthCore
import Synchronization

/// Credentials that may be sent now, Postern's own and those that users have connected, for the whole process: memory,
/// then the store, then the provider.
///
/// A provider is called by nobody but the one task that renews a credential. That task belongs to this object, not to a
/// caller: callers may come and go, and `shutdown` waits until what was received is stored.
///
/// While a credential is live, failures are invisible to callers; they are told to `observer`. What is remembered of a
/// connection is forgotten when it changes here or elsewhere; what is being renewed at that moment answers only those
/// who asked before.
public final class LiveCredentials: Sendable, ChangeObserver {
  private struct Entry {
    let key: ConnectionKey
    var slot = CredentialSlot()
    var waiters: [Waiter] = []
    /// Counts credentials: of those that can be had again, only the newest goes on being stored.
    var credentialCount = 0
  }

  /// A credential that somebody has no use for.
  private struct Unwanted {
    let generation: Int64
    var isRefused = false
  }

  private typealias EntryNumber = Int
  private typealias Waiter = CheckedContinuation<Result<LiveCredential, BrokerFailure>, Never>

  private struct State {
    var providers: [ProviderID: Provider] = [:]
    /// Connections that somebody has asked for since they were last reported.
    var used: Set<ConnectionKey> = []
    var current: [ConnectionKey: EntryNumber] = [:]
    var entries: [EntryNumber: Entry] = [:]
    var entryCount = 0
    var tasks: [Int: Task<Void, Never>] = [:]
    var taskCount = 0
    var isShuttingDown = false
  }

  /// Credentials remembered; at the limit, all that nobody waits for are forgotten and read from the store again.
  public static let rememberedMax = 50_000

  private let state = Mutex(State())
  private let store: any ConnectionStore
  private let channel: ProviderChannel
  private let assertions: IdentityAssertions?
  private let sealer: CredentialSealer
  private let clock: any WallClock
  private let random: any RandomSource
  private let sleeper: any Sleeper
  private let executor: (any TaskExecutor)?
  private let observer: any BrokerObserver
  private let limits: BrokerLimits
  private let gates: ProviderGates
  private let rememberedMax: Int

  /// - Parameters:
  ///   - providers: those with `authorization` have connections of users, the others one of Postern itself.
  ///   - directory: what providers publish; nil: nobody shares it.
  ///   - assertions: what providers with `tokenExchange` believe.
  ///   - executor: where store and provider are called from, such as a loop; nil: the default executor.
  public init(
    providers: [Provider], store: any ConnectionStore, transport: any ProviderTransport,
    directory: ProviderDirectory? = nil, assertions: IdentityAssertions? = nil, keyRing: KeyRing,
    clock: any WallClock, random: any RandomSource, sleeper: any Sleeper, executor: (any TaskExecutor)?,
    observer: any BrokerObserver, limits: BrokerLimits = BrokerLimits(), rememberedMax: Int = LiveCredentials.rememberedMax
  ) {
    self.store = store
    channel = ProviderChannel(
      transport: transport,
      directory: directory ?? ProviderDirectory(transport: transport, clock: clock, executor: executor), clock: clock,
      random: random)
    self.assertions = assertions
    sealer = CredentialSealer(ring: keyRing)
    self.clock = clock
    self.random = random
    self.sleeper = sleeper
    self.executor = executor
    self.observer = observer
    self.limits = limits
    gates = ProviderGates(clock: clock, random: random, observer: observer, limits: limits)
    self.rememberedMax = rememberedMax
    reconfigure(providers)
  }

  /// A live credential, obtained if need be.
  ///
  /// Waits only while there is none that may be sent; at most for the limits of one renewal. Whoever keeps the result
  /// asks again from its `renewAt` on.
  ///
  /// - Parameters:
  ///   - owner: a subject for what that subject has connected.
  ///   - generation: one that the caller has no use for: what comes is a later one. Whoever names the same one is
  ///     answered by the same renewal.
  ///   - isRefused: whether an upstream would not take that one: the same comes back when it is the successor of another
  ///     that was refused shortly before (`LiveCredential.heedsRefusalFrom`), or nothing can replace it.
  /// - Throws: `notConnected` or `needsReauthentication` when the user has to act; `unavailable` or `refused` when the
  ///   provider or the store does not help, at once while the pause after a failure lasts.
  public func credential(
    for provider: ProviderID, of owner: ConnectionKey.Owner = .service, replacing generation: Int64? = nil,
    isRefused: Bool = false
  ) async throws(BrokerFailure) -> LiveCredential {
    let key = state.withLock { state in
      let owner = state.providers[provider]?.owner(meaning: owner) ?? owner
      let key = ConnectionKey(provider: provider, owner: owner)
      if !key.isRepeatable, state.used.count < rememberedMax { state.used.insert(key) }
      return key
    }
    let unwanted = generation.map { Unwanted(generation: $0, isRefused: isRefused) }
    let credential = try await credential(key, replacing: unwanted)
    // A renewal that was under way already wanted any that is live.
    guard let generation, isRefused, credential.generation <= generation,
      credential.heedsRefusal(of: generation, at: clock.now)
    else { return credential }
    return try await self.credential(key, replacing: unwanted)
  }

  private func credential(_ key: ConnectionKey, replacing unwanted: Unwanted?) async throws(BrokerFailure) -> LiveCredential {
    let result = await withCheckedContinuation { (waiter: Waiter) in
      let now = clock.now
      let answer = state.withLock { demand(key, replacing: unwanted, by: waiter, at: now, &$0) }
      if let answer { waiter.resume(returning: answer) }
    }
    return try result.get()
  }

  /// Replaces the providers. What still fits stays; the rest is read or asked for anew.
  ///
  /// - Parameter providers: ids unique.
  public func reconfigure(_ providers: [Provider]) {
    state.withLock { state in
      let old = state.providers
      state.providers = Dictionary(uniqueKeysWithValues: providers.map { ($0.id, $0) })
      for (key, number) in state.current {
        guard let provider = state.providers[key.provider], old[key.provider]?.fingerprint == provider.fingerprint else {
          Self.forget(key, &state)
          continue
        }
        // A new client secret may be the answer to a refusal: the pause after it ends.
        if old[key.provider] != provider { state.entries[number]?.slot.reopen() }
      }
      gates.forget { old[$0] != state.providers[$0] }
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

  // MARK: For the scheduler

  /// Of the providers whose connections may be refreshed now though nobody asks.
  var renewalPolicies: [ProviderID: RenewalPolicy] {
    state.withLock { $0.providers.compactMapValues { $0.authorization?.renewal } }.filter { gates.isOpen($0.key) }
  }

  func renew(_ due: DueRenewal) async throws(BrokerFailure) {
    _ = try await credential(due.key, replacing: Unwanted(generation: due.generation))
  }

  /// The connections that somebody has asked for since the last time.
  func takeUsed() -> [ConnectionKey] {
    state.withLock { state in
      defer { state.used = [] }
      return Array(state.used)
    }
  }

  /// The providers that refuse Postern itself, as this process has learned.
  public var incidents: [ProviderIncident] { gates.incidents }

  /// Whether this process knows that the provider has dealt with Postern since.
  func isOver(_ incident: ProviderIncident) -> Bool { gates.isOver(incident) }

  /// What other instances have learned; `ended` of what this one has told them.
  func hear(_ incidents: [ProviderIncident], ended: [ProviderIncident]) { gates.hear(incidents, ended: ended) }

  // MARK: Forgetting

  public func apply(_ changes: [Change]) {
    state.withLock { state in
      for case .connectionChanged(let provider, let subject) in changes {
        for owner in [ConnectionKey.Owner.subject(subject), .exchanged(for: subject)] {
          Self.forget(ConnectionKey(provider: ProviderID(provider), owner: owner), &state)
        }
      }
    }
  }

  public func forgetEverything() { state.withLock { Self.forgetIdle(&$0) } }

  private static func forgetIdle(_ state: inout State) {
    for (key, number) in state.current where state.entries[number]?.slot.isRenewing != true { forget(key, &state) }
  }

  /// A renewal in flight goes on for those who wait for it.
  private static func forget(_ key: ConnectionKey, _ state: inout State) {
    guard let number = state.current.removeValue(forKey: key) else { return }
    if state.entries[number]?.slot.isRenewing == false { state.entries[number] = nil }
  }

  // MARK: Demand

  /// - Returns: nil when `waiter` was put to wait.
  private func demand(
    _ key: ConnectionKey, replacing unwanted: Unwanted?, by waiter: Waiter, at now: Timestamp, _ state: inout State
  ) -> Result<LiveCredential, BrokerFailure>? {
    guard let provider = state.providers[key.provider], provider.hasCredentials(of: key.owner) else {
      return .failure(.unknownProvider)
    }
    let number = entry(of: key, &state)
    guard var entry = state.entries[number] else { preconditionFailure("the entry was just made") }
    defer { state.entries[number] = entry }
    let demand = entry.slot.demand(
      replacing: unwanted?.generation, isRefused: unwanted?.isRefused == true, at: now, mayRenew: !state.isShuttingDown)
    switch demand {
    case .fail(let failure): return .failure(failure)
    case .serve(let credential, let renew):
      if renew { startRenewal(of: number, key, provider, replacing: Unwanted(generation: credential.generation), &state) }
      return .success(credential)
    case .wait(let renew):
      entry.waiters.append(waiter)
      if renew { startRenewal(of: number, key, provider, replacing: unwanted, &state) }
      return nil
    }
  }

  private func entry(of key: ConnectionKey, _ state: inout State) -> EntryNumber {
    if let number = state.current[key] { return number }
    if state.current.count >= rememberedMax { Self.forgetIdle(&state) }
    state.entryCount += 1
    state.entries[state.entryCount] = Entry(key: key)
    state.current[key] = state.entryCount
    return state.entryCount
  }

  private func startRenewal(
    of number: EntryNumber, _ key: ConnectionKey, _ provider: Provider, replacing unwanted: Unwanted?, _ state: inout State
  ) {
    state.taskCount += 1
    let task = state.taskCount
    state.tasks[task] = Task(executorPreference: executor) { [self] in
      await renew(number, key, provider, replacing: unwanted, by: task)
      gates.leave(key.provider, by: task)
      self.state.withLock { $0.tasks[task] = nil }
    }
  }

  // MARK: Renewal

  private func renew(
    _ number: EntryNumber, _ key: ConnectionKey, _ provider: Provider, replacing unwanted: Unwanted?,
    by renewal: ProviderGate.Renewal
  ) async {
    let driver = RefreshDriver(
      connection: key, provider: provider, store: store, channel: channel, assertions: assertions, sealer: sealer, clock: clock,
      sleeper: sleeper, observer: observer, limits: limits,
      isEnding: { [self] in state.withLock { $0.isShuttingDown } },
      turnsAway: { [gates] in gates.enter(key.provider, by: renewal) })
    let isRefused = unwanted?.isRefused == true
    switch await driver.run(replacing: unwanted?.generation, isRefused: isRefused) {
    case .adopted(let record, let generation):
      observer.observe(.adopted(generation: generation), of: key)
      succeed(number, with: record, generation: generation)
    case .kept(let record, let generation): succeed(number, with: record, generation: generation, isLast: true)
    case .obtained(var record, let lease):
      record.followsRefusal = isRefused
      gates.note(nil, of: key)
      let isLasting = record.refreshToken != nil
      let credential = succeed(number, with: record, generation: lease.map { $0.generation + 1 })
      await keep(record, lease: lease, of: key) { [self] in
        isLasting || state.withLock { $0.entries[number]?.credentialCount == credential }
      }
    case .failed(let failure, let lease):
      let pause = fail(number, failure)
      observer.observe(.failed(failure, pause: pause), of: key)
      gates.note(failure, of: key)
      // Should this fail, the lease runs out by itself, only later, and the attempt is in doubt.
      if let lease { try? await store.release(lease, as: RefreshAttemptOutcome(failure), pause: pause) }
    case .postponed(let lease, let remaining):
      close(number, .unavailable(retryAfter: .zero), for: remaining)
      try? await store.release(lease, as: .postponed, pause: remaining)
    case .waited(let remaining): close(number, .unavailable(retryAfter: .zero), for: remaining)
    case .turnedAway(let failure): close(number, failure, for: failure.retryAfter ?? .zero)
    case .storeUnavailable: close(number, .unavailable(retryAfter: .zero), for: .zero)
    case .refused(let reason, let lease):
      if reason != .noRefreshToken { gates.note(nil, of: key) }
      do throws(StoreFailure) {
        try await store.requireReauthentication(reason, under: lease)
        observer.observe(.needsReauthentication(reason), of: key)
        end(number, .needsReauthentication(reason))
      } catch {
        observer.observe(.storeUnavailable, of: key)
        close(number, .unavailable(retryAfter: .zero), for: .zero)
      }
    case .ended(let failure): end(number, failure)
    }
  }

  private func keep(
    _ record: CredentialRecord, lease: ConnectionLease?, of key: ConnectionKey, isWanted: () -> Bool
  ) async {
    let keeper = CredentialKeeper(
      connection: key, store: store, sealer: sealer, clock: clock, sleeper: sleeper, observer: observer, limits: limits,
      jitter: random.jitter())
    var triesAtShutdown = limits.storeTriesAtShutdown
    await keeper.keep(record, lease: lease) {
      guard isWanted() else { return false }
      guard state.withLock({ $0.isShuttingDown }) else { return true }
      triesAtShutdown -= 1
      return triesAtShutdown >= 0
    }
  }

  /// - Parameters:
  ///   - generation: nil: the store was not there to give one; the next after ours names it in this process.
  ///   - isLast: nothing can replace it; it is asked about again when it has ended.
  /// - Returns: the number of the credential among those of its entry.
  @discardableResult
  private func succeed(
    _ number: EntryNumber, with record: CredentialRecord, generation: Int64?, isLast: Bool = false
  ) -> Int {
    let jitter = random.jitter()
    var credentialNumber = 0
    finish(number) { entry, _ in
      let next = (entry.slot.credential?.generation ?? 0) + 1
      var credential = record.live(generation: generation ?? next, jitter: jitter, limits: limits)
      if isLast {
        credential.renewAt = credential.expiresAt
        credential.heedsRefusalFrom = credential.expiresAt
      }
      entry.slot.succeed(with: credential)
      entry.credentialCount += 1
      credentialNumber = entry.credentialCount
      return .success(credential)
    }
    return credentialNumber
  }

  /// - Returns: how long no renewal will start.
  private func fail(_ number: EntryNumber, _ failure: TokenEndpointFailure) -> Duration {
    let jitter = random.jitter()
    var pause = Duration.zero
    finish(number) { entry, now in
      pause = entry.slot.pause(after: failure, limits: limits, jitter: jitter)
      return .failure(entry.slot.fail(BrokerFailure(failure), pause: pause, at: now))
    }
    return pause
  }

  private func close(_ number: EntryNumber, _ failure: BrokerFailure, for pause: Duration) {
    let pause = max(pause, limits.transientPauseMin)
    finish(number) { entry, now in .failure(entry.slot.fail(failure, pause: pause, at: now)) }
  }

  private func end(_ number: EntryNumber, _ failure: BrokerFailure) {
    finish(number) { entry, now in .failure(entry.slot.end(failure, pause: limits.endedPause, at: now)) }
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
      // Forgotten meanwhile: nobody will ask this entry again.
      state.entries[number] = state.current[entry.key] == number ? entry : nil
      return (waiters, answer)
    }
    for waiter in waiters { waiter.resume(returning: answer) }
  }
}

extension BrokerFailure {
  fileprivate init(_ failure: TokenEndpointFailure) {
    switch failure {
    case .refused(let refusal): self = .refused(refusal, retryAfter: .zero)
    case .transient: self = .unavailable(retryAfter: .zero)
    }
  }
}
