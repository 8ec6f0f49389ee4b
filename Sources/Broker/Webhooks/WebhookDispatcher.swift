import Cryptography
import OAuthCore
import Synchronization

/// Delivers what is due, on any number of instances: the store gives each delivery to one of them at a time.
///
/// At least once: an instance that dies after its receiver has answered leaves the delivery to another.
public final class WebhookDispatcher: Sendable {
  /// Between looks at an outbox that had nothing.
  static let interval = Duration.seconds(1)
  /// Of one look, sent at once.
  static let batchCount = 16
  /// For one try, name resolution included. Source: Standard Webhooks: 15 to 30 seconds.
  static let deadline = Duration.seconds(15)
  /// Longer than the deadline, so that an instance that still sends is not overtaken.
  static let lease = Duration.seconds(30)
  /// How long the log reaches back.
  static let retention = Duration.seconds(7 * 86_400)
  /// Between looks for what is older.
  static let forgettingInterval = Duration.seconds(60)

  private let store: any WebhookStore
  private let transport: any ProviderTransport
  private let clock: any WallClock
  private let random: any RandomSource
  private let sleeper: any Sleeper
  private let report: @Sendable (Report) -> Void
  private let state: Mutex<State>

  private struct State {
    var endpoints: [String: WebhookEndpoint]
    /// Whether the store knows them.
    var isSubscribed = false
  }

  /// What the operator should hear of.
  public struct Report: Sendable, Equatable {
    public let endpoint: String
    public let result: String
    public let attempt: Int
  }

  /// - Parameter report: hears of tries that failed.
  public init(
    endpoints: [WebhookEndpoint], store: any WebhookStore, transport: any ProviderTransport, clock: any WallClock,
    random: any RandomSource, sleeper: any Sleeper, report: @escaping @Sendable (Report) -> Void
  ) {
    self.store = store
    self.transport = transport
    self.clock = clock
    self.random = random
    self.sleeper = sleeper
    self.report = report
    state = Mutex(State(endpoints: Self.byID(endpoints)))
  }

  private static func byID(_ endpoints: [WebhookEndpoint]) -> [String: WebhookEndpoint] {
    Dictionary(endpoints.map { ($0.id, $0) }) { first, _ in first }
  }

  /// Replaces the endpoints. The store hears of it as soon as it can; nobody waits for that.
  public func reconfigure(_ next: [WebhookEndpoint]) {
    state.withLock { $0 = State(endpoints: Self.byID(next)) }
  }

  /// Delivers until the task is cancelled.
  public func run() async {
    var forgottenAt = clock.now
    while !Task.isCancelled {
      await subscribe()
      // A full batch was not all.
      if await deliver() < Self.batchCount { await sleeper.sleep(for: Self.interval) }
      guard forgottenAt + Self.forgettingInterval <= clock.now else { continue }
      forgottenAt = clock.now
      try? await store.forget(olderThan: Self.retention)
    }
  }

  /// Tells the store who wants what, unless it knows; the next look tries again.
  private func subscribe() async {
    let wanted = state.withLock { state in state.isSubscribed ? nil : state.endpoints }
    guard let wanted, (try? await store.subscribe(Array(wanted.values))) != nil else { return }
    // Others may have been configured meanwhile.
    state.withLock { state in if state.endpoints == wanted { state.isSubscribed = true } }
  }

  /// Delivers what is due now.
  ///
  /// - Returns: how many tries that were.
  func deliver() async -> Int {
    let known = state.withLock { $0.endpoints }
    guard !known.isEmpty,
      let due = try? await store.claim(Self.batchCount, for: Array(known.keys), lasting: Self.lease)
    else { return 0 }
    await withTaskGroup(of: Void.self) { group in
      for delivery in due {
        guard let endpoint = known[delivery.endpoint] else { continue }
        group.addTask { [self] in await attempt(delivery, at: endpoint) }
      }
    }
    return due.count
  }

  private func attempt(_ delivery: WebhookDelivery, at endpoint: WebhookEndpoint) async {
    let request = delivery.request(to: endpoint, at: clock.now, deadline: Self.deadline)
    let response: Result<ProviderResponse, TransportFailure>
    do throws(TransportFailure) { response = .success(try await transport.send(request)) } catch { response = .failure(error) }
    let result =
      switch response {
      case .success(let answer): "status \(answer.status)"
      case .failure(let failure): "\(failure)"
      }
    let outcome = WebhookOutcome(response, attempt: delivery.attempt, jitter: random.jitter())
    if outcome != .delivered { report(Report(endpoint: endpoint.id, result: result, attempt: delivery.attempt)) }
    // Should this fail, the lease runs out, and the receiver hears of it once more.
    try? await store.record(outcome, of: delivery, result: result)
  }
}
