import OAuthCore

/// The outbox of webhooks, shared by all instances. What happens to connections is written to it by the transaction that
/// makes it happen.
public protocol WebhookStore: Sendable {
  /// Who hears of what from now on. What is under way for others stays until it is forgotten.
  func subscribe(_ endpoints: [WebhookEndpoint]) async throws(StoreFailure)

  /// Takes up deliveries that are due, the most overdue first; each is given to one instance, and to nobody else for
  /// `duration`.
  func claim(_ count: Int, for endpoints: [String], lasting duration: Duration) async throws(StoreFailure) -> [WebhookDelivery]

  /// Notes what came of a try; nothing happens when another has begun since.
  ///
  /// - Parameter result: a status, or why there is none, for the log.
  func record(_ outcome: WebhookOutcome, of delivery: WebhookDelivery, result: String) async throws(StoreFailure)

  /// Forgets what is older than `age`, some at a time.
  func forget(olderThan age: Duration) async throws(StoreFailure)

  /// The log, the newest first.
  ///
  /// - Parameter last: of the page before; nil: from the newest.
  func deliveries(before last: Locator?, count: Int) async throws(StoreFailure) -> [RecordedDelivery]
}

/// A delivery as it is on record.
public struct RecordedDelivery: Sendable, Equatable {
  public var id: Locator
  public var event: Locator
  public var endpoint: String
  public var type: String
  public var createdAt: Timestamp
  public var attempts: Int
  /// When it is tried next; nil: it has ended.
  public var dueAt: Timestamp?
  public var isDelivered: Bool
  /// Of the last try; nil: there was none.
  public var lastResult: String?

  public init(
    id: Locator, event: Locator, endpoint: String, type: String, createdAt: Timestamp, attempts: Int, dueAt: Timestamp?,
    isDelivered: Bool, lastResult: String?
  ) {
    self.id = id
    self.event = event
    self.endpoint = endpoint
    self.type = type
    self.createdAt = createdAt
    self.attempts = attempts
    self.dueAt = dueAt
    self.isDelivered = isDelivered
    self.lastResult = lastResult
  }
}
