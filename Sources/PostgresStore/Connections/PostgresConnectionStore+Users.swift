import Broker
import OAuthCore
import PostgresClient

/// What users connect, see and end.
extension PostgresConnectionStore: UserConnectionStore {
  private static let findAll = PreparedStatement(
    """
    SELECT provider, state, reason, connected_at, coalesce(scopes, '{}'), last_used_at FROM connection
    WHERE subject = $1 AND state IN ('active', 'needs_reauth') AND connected_at IS NOT NULL ORDER BY provider
    """)

  private static let establish = PreparedStatement(
    """
    WITH stored AS (
      UPDATE connection_credential SET
        generation = $3, sealed = $4, expires_at = $5, lease_epoch = lease_epoch + 1, lease_until = NULL, attempt_open = false
      WHERE connection = connection_id($1, $2) AND generation = $3 - 1
      RETURNING connection
    ), forgotten AS (
      DELETE FROM credential_history WHERE connection IN (SELECT connection FROM stored)
    ), unscheduled AS (
      DELETE FROM renewal WHERE connection IN (SELECT connection FROM stored) AND $7::timestamptz IS NULL
    ), scheduled AS (
      INSERT INTO renewal (connection, provider, due_at, renewed_at)
      SELECT connection, $1, $7, $6 FROM stored WHERE $7::timestamptz IS NOT NULL
      ON CONFLICT (connection) DO UPDATE SET due_at = excluded.due_at, renewed_at = excluded.renewed_at
    ), activated AS (
      UPDATE connection SET state = 'active', reason = NULL, connected_at = $6, scopes = $8
      WHERE id IN (SELECT connection FROM stored)
    ), logged AS (
      INSERT INTO change_log (kind, key) SELECT 'connection_changed', $1 || ' ' || $2 FROM stored
    )
    SELECT connection FROM stored
    """)

  private static let revoke = PreparedStatement(
    """
    WITH emptied AS (
      UPDATE connection_credential SET
        generation = generation + 1, sealed = NULL, expires_at = NULL, lease_epoch = lease_epoch + 1, lease_until = NULL,
        attempt_open = false
      WHERE connection = connection_id($1, $2)
      RETURNING connection
    ), forgotten AS (
      DELETE FROM credential_history WHERE connection IN (SELECT connection FROM emptied)
    ), unscheduled AS (
      DELETE FROM renewal WHERE connection IN (SELECT connection FROM emptied)
    ), revoked AS (
      UPDATE connection SET state = 'revoked', reason = NULL WHERE id IN (SELECT connection FROM emptied)
    )
    INSERT INTO change_log (kind, key) SELECT 'connection_changed', $1 || ' ' || $2 FROM emptied
    """)

  public func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary] {
    try await database.query(Self.findAll, [.text(subject.rawValue)]) { row throws(PostgresError) -> ConnectionSummary? in
      guard let state = try ConnectionState(row, 1) else { return nil }
      return ConnectionSummary(provider: ProviderID(try row.text(0)), state: state, connectedAt: try row.moment(3),
        scopes: try row.textArray(4), usedAt: try row.optionalMoment(5))
    }.compactMap { $0 }
  }

  public func prepare(_ key: ConnectionKey) async throws(StoreFailure) -> Int64 {
    // Without a lock on what is there already.
    let found = try await database.query(Self.readLease, key.columns) { row throws(PostgresError) in try row.int64(0) }
    if let generation = found.first { return generation }
    let generations = try await database.query(Self.prepare, key.columns) { row throws(PostgresError) in try row.int64(0) }
    guard let generation = generations.first else { throw .unavailable }
    return generation
  }

  public func establish(
    _ credential: StoredCredential, of key: ConnectionKey, at now: Timestamp
  ) async throws(StoreFailure) -> CommitOutcome {
    let stored = try await database.query(
      Self.establish,
      key.columns + [
        .int64(credential.generation), .bytes(credential.sealed), .timestamp(credential.expiresAt), .timestamp(now),
        .timestamp(credential.renewAt), .textArray(credential.scopes ?? []),
      ])
    return stored.count == 1 ? .stored : .superseded
  }

  public func revoke(_ key: ConnectionKey) async throws(StoreFailure) {
    _ = try await database.query(Self.revoke, key.columns)
  }
}
