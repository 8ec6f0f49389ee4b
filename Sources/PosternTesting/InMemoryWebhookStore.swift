import Broker
import OAuthCore
import Synchronization

/// `WebhookStore` in memory. Time passes when the test says so: what is to be tried again is due at once.
public final class InMemoryWebhookStore: WebhookStore {
  private struct State {
    var pending: [WebhookDelivery] = []
    var log: [RecordedDelivery] = []
    var outcomes: [WebhookOutcome] = []
    var subscriptions: [String: Set<WebhookEvent>] = [:]
  }

  private let state = Mutex(State())

  public init() {}

  public var outcomes: [WebhookOutcome] { state.withLock { $0.outcomes } }
  public var subscriptions: [String: Set<WebhookEvent>] { state.withLock { $0.subscriptions } }

  /// Something has happened that an endpoint is to hear of.
  public func add(_ delivery: WebhookDelivery) { state.withLock { $0.pending.append(delivery) } }

  public func add(_ recorded: RecordedDelivery) { state.withLock { $0.log.insert(recorded, at: 0) } }

  public func subscribe(_ endpoints: [WebhookEndpoint]) async throws(StoreFailure) {
    state.withLock { state in
      state.subscriptions = Dictionary(endpoints.map { ($0.id, $0.events) }) { first, _ in first }
    }
  }

  public func claim(
    _ count: Int, for endpoints: [String], lasting duration: Duration
  ) async throws(StoreFailure) -> [WebhookDelivery] {
    state.withLock { state in
      let due = state.pending.filter { endpoints.contains($0.endpoint) }.prefix(count)
      state.pending.removeAll { pending in due.contains { $0.id == pending.id } }
      return due.map { delivery in
        var delivery = delivery
        delivery.attempt += 1
        return delivery
      }
    }
  }

  public func record(_ outcome: WebhookOutcome, of delivery: WebhookDelivery, result: String) async throws(StoreFailure) {
    state.withLock { state in
      state.outcomes.append(outcome)
      if case .retry = outcome { state.pending.append(delivery) }
    }
  }

  public func forget(olderThan age: Duration) async throws(StoreFailure) {}

  public func deliveries(before last: Locator?, count: Int) async throws(StoreFailure) -> [RecordedDelivery] {
    state.withLock { state in
      let rest = last.flatMap { last in state.log.firstIndex { $0.id == last } }.map { state.log[($0 + 1)...] } ?? state.log[...]
      return Array(rest.prefix(count))
    }
  }
}
