import Cryptography
import OAuthCore
import Synchronization

/// Refreshes connections before their tokens end though nobody asks, on any number of instances: each takes up what is due
/// and nobody else has, so many at a time that neither a provider nor the store meets a herd after an outage.
///
/// It also carries what this instance has learned to the store: which connections are used, which providers refuse Postern.
public final class RenewalScheduler: Sendable {
  public struct Limits: Sendable {
    /// Between looks at the queue when nothing was due, and when something was.
    public var idlePause = Duration.seconds(1)
    public var busyPause = Duration.milliseconds(20)
    /// How long nobody else takes up what one has; longer than a refresh.
    public var claim = Duration.seconds(60)
    /// Between reports of use.
    public var reportPause = Duration.seconds(60)
    /// An incident that nobody has prolonged for so long was left by a process that is gone.
    public var incidentMemory = Duration.seconds(3600)

    public init() {}
  }

  private struct State {
    var inFlight: [ProviderID: Int] = [:]
    var reportAt: Timestamp?
    var exchangeAt: Timestamp?
    /// What this process has met and the others know.
    var told: [ProviderID: ProviderIncident] = [:]
  }

  private let credentials: LiveCredentials
  private let queue: any RenewalQueue
  private let incidents: any ProviderIncidentStore
  private let clock: any WallClock
  private let random: any RandomSource
  private let sleeper: any Sleeper
  private let limits: Limits
  private let state = Mutex(State())

  public init(
    credentials: LiveCredentials, queue: any RenewalQueue, incidents: any ProviderIncidentStore, clock: any WallClock,
    random: any RandomSource, sleeper: any Sleeper, limits: Limits = Limits()
  ) {
    self.credentials = credentials
    self.queue = queue
    self.incidents = incidents
    self.clock = clock
    self.random = random
    self.sleeper = sleeper
    self.limits = limits
  }

  /// Goes on until the task is cancelled. What is being refreshed then belongs to `credentials`, which drains it.
  public func run() async {
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        await report()
        let due = await takeUp()
        for renewal in due { group.addTask { [self] in await renew(renewal) } }
        let pause = due.isEmpty ? limits.idlePause : limits.busyPause
        await sleeper.sleep(for: pause * (1 + random.jitter() / 4))
      }
    }
  }

  // MARK: Renewing

  private func takeUp() async -> [DueRenewal] {
    let policies = credentials.renewalPolicies
    let counts = state.withLock { state in
      policies.reduce(into: [ProviderID: Int]()) { counts, entry in
        let free = entry.value.concurrency - state.inFlight[entry.key, default: 0]
        if free > 0 { counts[entry.key] = free }
      }
    }
    guard !counts.isEmpty, let due = try? await queue.claim(counts, at: clock.now, for: limits.claim) else { return [] }
    state.withLock { state in
      for renewal in due { state.inFlight[renewal.key.provider, default: 0] += 1 }
    }
    return due
  }

  private func renew(_ due: DueRenewal) async {
    let now = clock.now
    let policy = credentials.renewalPolicies[due.key.provider] ?? RenewalPolicy()
    switch policy.decide(due, at: now) {
    case .postpone(let end): try? await queue.postpone(due.key, until: end)
    case .renew:
      do throws(BrokerFailure) {
        try await credentials.renew(due)
      } catch {
        await settle(due.key, error)
      }
    }
    state.withLock { $0.inFlight[due.key.provider, default: 1] -= 1 }
  }

  /// What is not postponed is due again when the claim has ended.
  private func settle(_ key: ConnectionKey, _ failure: BrokerFailure) async {
    switch failure {
    case .unavailable(let pause), .refused(_, let pause):
      guard pause > limits.claim else { return }
      try? await queue.postpone(key, until: clock.now + pause * (1 + random.jitter() / 4))
    case .notConnected, .needsReauthentication: try? await queue.drop(key)
    case .unknownProvider: break
    }
  }

  // MARK: Reporting

  private func report() async {
    let now = clock.now
    if isDue(\.reportAt, every: limits.reportPause, at: now) {
      let used = credentials.takeUsed()
      if !used.isEmpty { try? await queue.recordUse(of: used, at: now) }
    }
    if isDue(\.exchangeAt, every: limits.idlePause, at: now) { await exchangeIncidents() }
  }

  private func isDue(_ next: WritableKeyPath<State, Timestamp?>, every pause: Duration, at now: Timestamp) -> Bool {
    state.withLock { state in
      if let next = state[keyPath: next], now < next { return false }
      state[keyPath: next] = now + pause
      return true
    }
  }

  /// Tells the others what this process has met, hears what they have, and ends what either knows to be over.
  private func exchangeIncidents() async {
    do throws(StoreFailure) {
      let all = try await incidents.incidents()
      let stored = Dictionary(uniqueKeysWithValues: all.map { ($0.provider, $0) })
      let told = state.withLock { $0.told }
      var met = Dictionary(uniqueKeysWithValues: credentials.incidents.map { ($0.provider, $0) })
      // Somebody has learned that it is over.
      let ended = met.values.filter { stored[$0.provider] == nil && told[$0.provider] == $0 }
      for incident in ended { met[incident.provider] = nil }
      var heard: [ProviderIncident] = []
      for incident in all {
        let isOver = credentials.isOver(incident) || (told[incident.provider] != nil && met[incident.provider] == nil)
        if isOver || incident.closedUntil + limits.incidentMemory < clock.now {
          try await incidents.end(incident)
        } else {
          heard.append(incident)
        }
      }
      for incident in met.values where told[incident.provider] != incident { try await incidents.record(incident) }
      credentials.hear(heard, ended: ended)
      state.withLock { $0.told = met }
    } catch {
      // The next round tries again; each instance learns of an incident by itself, too.
    }
  }
}
