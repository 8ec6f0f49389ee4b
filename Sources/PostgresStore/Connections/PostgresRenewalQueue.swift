import Broker
import Logging
import OAuthCore
import PostgresClient

/// What is due for renewal, in PostgreSQL.
public struct PostgresRenewalQueue: RenewalQueue {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  /// `SKIP LOCKED`: instances that look at the same moment share what is due instead of waiting for each other.
  private static let claim = PreparedStatement(
    """
    WITH wanted AS (
      SELECT * FROM unnest($1::text[], $2::bigint[]) AS wanted (provider, count)
    ), taken AS (
      SELECT due.connection FROM wanted, LATERAL (
        SELECT connection FROM renewal WHERE renewal.provider = wanted.provider AND due_at <= $3
        ORDER BY due_at LIMIT wanted.count FOR UPDATE SKIP LOCKED) AS due
    ), moved AS (
      UPDATE renewal SET due_at = $4 FROM taken WHERE renewal.connection = taken.connection
      RETURNING renewal.connection, renewed_at
    )
    SELECT provider, subject, generation, coalesce(last_used_at, connected_at, created_at), renewed_at
    FROM moved JOIN connection ON connection.id = moved.connection
      JOIN connection_credential ON connection_credential.connection = moved.connection
    """)

  private static let postpone = PreparedStatement(
    "UPDATE renewal SET due_at = $3 WHERE connection = connection_id($1, $2) AND due_at < $3")

  private static let drop = PreparedStatement("DELETE FROM renewal WHERE connection = connection_id($1, $2)")

  /// Who reports the same connection at this moment reports the same.
  private static let recordUse = PreparedStatement(
    """
    UPDATE connection SET last_used_at = $3 WHERE id IN (
      SELECT id FROM connection JOIN unnest($1::text[], $2::text[]) AS used (provider, subject) USING (provider, subject)
      WHERE (last_used_at >= $3) IS NOT TRUE FOR UPDATE OF connection SKIP LOCKED)
    """)

  public func claim(
    _ counts: [ProviderID: Int], at now: Timestamp, for duration: Duration
  ) async throws(StoreFailure) -> [DueRenewal] {
    let wanted = Array(counts)
    return try await database.query(Self.claim, [
      .textArray(wanted.map(\.key.rawValue)), .int64Array(wanted.map { Int64($0.value) }), .timestamp(now),
      .timestamp(now + duration),
    ]) { row throws(PostgresError) in
      let owner = ConnectionKey.Owner.subject(Subject(try row.text(1)))
      return DueRenewal(
        key: ConnectionKey(provider: ProviderID(try row.text(0)), owner: owner), generation: try row.int64(2),
        usedAt: try row.moment(3), renewedAt: try row.moment(4))
    }
  }

  public func postpone(_ key: ConnectionKey, until end: Timestamp) async throws(StoreFailure) {
    _ = try await database.query(Self.postpone, key.columns + [.timestamp(end)])
  }

  public func drop(_ key: ConnectionKey) async throws(StoreFailure) {
    _ = try await database.query(Self.drop, key.columns)
  }

  public func recordUse(of keys: [ConnectionKey], at now: Timestamp) async throws(StoreFailure) {
    var (providers, subjects): ([String], [String]) = ([], [])
    for key in keys {
      guard case .subject(let subject) = key.owner else { continue }
      providers.append(key.provider.rawValue)
      subjects.append(subject.rawValue)
    }
    _ = try await database.query(Self.recordUse, [.textArray(providers), .textArray(subjects), .timestamp(now)])
  }
}
