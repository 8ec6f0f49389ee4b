import Broker
import Logging
import OAuthCore
import PostgresClient

/// The outbox of webhooks, in PostgreSQL. The schema's triggers write to it.
public struct PostgresWebhookStore: WebhookStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let subscribe = PreparedStatement(
    """
    WITH wanted AS (
      SELECT * FROM unnest($1::text[], $2::text[]) AS wanted (endpoint, event)
    ), gone AS (
      DELETE FROM webhook_subscription WHERE (endpoint, event) NOT IN (SELECT endpoint, event FROM wanted)
    )
    INSERT INTO webhook_subscription (endpoint, event) SELECT endpoint, event FROM wanted ON CONFLICT DO NOTHING
    """)

  /// `SKIP LOCKED`: instances that look at the same moment share what is due instead of waiting for each other.
  private static let claim = PreparedStatement(
    """
    WITH due AS (
      SELECT id FROM webhook_delivery
      WHERE ended_at IS NULL AND due_at <= clock_timestamp() AND endpoint = ANY ($1::text[])
      ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE webhook_delivery SET
      due_at = clock_timestamp() + $3 * interval '1 microsecond', attempt_count = attempt_count + 1
    FROM due WHERE webhook_delivery.id = due.id
    RETURNING webhook_delivery.id, event, endpoint, payload, attempt_count::bigint
    """)

  private static let record = PreparedStatement(
    """
    UPDATE webhook_delivery SET
      due_at = clock_timestamp() + coalesce($3, 0) * interval '1 microsecond',
      ended_at = CASE WHEN $3::bigint IS NULL THEN clock_timestamp() END, is_delivered = $4, last_result = $5
    WHERE id = $1 AND attempt_count = $2 AND ended_at IS NULL
    """)

  private static let forget = PreparedStatement(
    """
    DELETE FROM webhook_delivery WHERE id IN (
      SELECT id FROM webhook_delivery WHERE created_at < clock_timestamp() - $1 * interval '1 microsecond'
      ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
    """)

  private static let list = PreparedStatement(
    """
    SELECT id, event, endpoint, type, created_at, attempt_count::bigint, CASE WHEN ended_at IS NULL THEN due_at END,
      is_delivered, last_result
    FROM webhook_delivery
    WHERE $1::uuid IS NULL
      OR (created_at, id) < (SELECT created_at, id FROM webhook_delivery AS last WHERE last.id = $1)
    ORDER BY created_at DESC, id DESC LIMIT $2
    """)

  public func subscribe(_ endpoints: [WebhookEndpoint]) async throws(StoreFailure) {
    var (names, events): ([String], [String]) = ([], [])
    for endpoint in endpoints {
      for event in endpoint.events {
        names.append(endpoint.id)
        events.append(event.rawValue)
      }
    }
    _ = try await database.query(Self.subscribe, [.textArray(names), .textArray(events)])
  }

  public func claim(
    _ count: Int, for endpoints: [String], lasting duration: Duration
  ) async throws(StoreFailure) -> [WebhookDelivery] {
    try await database.query(
      Self.claim, [.textArray(endpoints), .int64(Int64(count)), .int64(duration.wholeMicroseconds)]
    ) { row throws(PostgresError) in
      WebhookDelivery(
        id: try row.locator(0), event: try row.locator(1), endpoint: try row.text(2), payload: try row.text(3),
        attempt: Int(try row.int64(4)))
    }
  }

  public func record(
    _ outcome: WebhookOutcome, of delivery: WebhookDelivery, result: String
  ) async throws(StoreFailure) {
    var pause: Int64?
    if case .retry(let duration) = outcome { pause = duration.wholeMicroseconds }
    _ = try await database.query(Self.record, [
      .locator(delivery.id), .int64(Int64(delivery.attempt)), .int64(pause), .bool(outcome == .delivered), .text(result),
    ])
  }

  public func forget(olderThan age: Duration) async throws(StoreFailure) {
    _ = try await database.query(Self.forget, [.int64(age.wholeMicroseconds)])
  }

  public func deliveries(before last: Locator?, count: Int) async throws(StoreFailure) -> [RecordedDelivery] {
    try await database.query(Self.list, [.locator(last), .int64(Int64(count))]) { row throws(PostgresError) in
      RecordedDelivery(
        id: try row.locator(0), event: try row.locator(1), endpoint: try row.text(2), type: try row.text(3),
        createdAt: try row.moment(4), attempts: Int(try row.int64(5)), dueAt: try row.optionalMoment(6),
        isDelivered: try row.bool(7), lastResult: try row.optionalText(8))
    }
  }
}
