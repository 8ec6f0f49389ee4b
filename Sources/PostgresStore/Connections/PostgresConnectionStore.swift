import Broker
import Logging
import OAuthCore
import PostgresClient

/// Sealed upstream credentials in PostgreSQL, one row per connection, replaced by compare-and-set.
///
/// Leases are measured with `clock_timestamp()`: the server's clock at the moment the row is held, not when the
/// statement began.
public struct PostgresConnectionStore: ConnectionStore {
  let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let find = PreparedStatement(
    """
    SELECT generation, sealed, expires_at
    FROM connection_credential JOIN connection ON connection.id = connection_credential.connection
    WHERE provider = $1 AND subject IS NOT DISTINCT FROM $2 AND sealed IS NOT NULL
    """)

  /// The first lease of all makes the rows. `ON CONFLICT DO UPDATE` on `connection` changes nothing, but unlike `DO
  /// NOTHING` it returns the row that another instance has just made.
  private static let takeLease = PreparedStatement(
    """
    WITH target AS (
      INSERT INTO connection (id, provider, subject, state, created_at)
      SELECT gen_random_uuid(), $1, $2, 'pending', clock_timestamp() WHERE $3 = 0
      ON CONFLICT (provider, subject) DO UPDATE SET provider = excluded.provider
      RETURNING id
    ), created AS (
      INSERT INTO connection_credential (connection, generation, lease_epoch, lease_until)
      SELECT id, 0, 1, clock_timestamp() + $4 * interval '1 microsecond' FROM target
      ON CONFLICT (connection) DO UPDATE SET
        lease_epoch = connection_credential.lease_epoch + 1, lease_until = excluded.lease_until
      WHERE connection_credential.generation = 0
        AND (connection_credential.lease_until > clock_timestamp()) IS NOT TRUE
      RETURNING lease_epoch
    ), renewed AS (
      UPDATE connection_credential SET
        lease_epoch = lease_epoch + 1, lease_until = clock_timestamp() + $4 * interval '1 microsecond'
      FROM connection
      WHERE $3 > 0 AND connection.id = connection_credential.connection
        AND provider = $1 AND subject IS NOT DISTINCT FROM $2
        AND generation = $3 AND (lease_until > clock_timestamp()) IS NOT TRUE
      RETURNING lease_epoch
    )
    SELECT lease_epoch FROM created UNION ALL SELECT lease_epoch FROM renewed
    """)

  /// Why a lease was not given: the generation, and the microseconds that another's lease still runs.
  private static let readLease = PreparedStatement(
    """
    SELECT generation, (extract(epoch FROM lease_until - clock_timestamp()) * 1000000)::bigint
    FROM connection_credential JOIN connection ON connection.id = connection_credential.connection
    WHERE provider = $1 AND subject IS NOT DISTINCT FROM $2
    """)

  /// A user's connection goes by the generation alone (`UserConnectionStore`).
  private static let commit = PreparedStatement(
    """
    WITH stored AS (
      UPDATE connection_credential SET generation = generation + 1, sealed = $5, expires_at = $6, lease_until = NULL, attempt_open = false
      FROM connection
      WHERE connection.id = connection_credential.connection
        AND provider = $1 AND subject IS NOT DISTINCT FROM $2 AND generation = $3
        AND (lease_epoch = $4 OR subject IS NOT NULL)
      RETURNING connection_credential.connection
    ), activated AS (
      UPDATE connection SET state = 'active', reason = NULL
      WHERE id IN (SELECT connection FROM stored) AND state IN ('pending', 'needs_reauth')
    ), logged AS (
      INSERT INTO change_log (kind, key)
      SELECT CASE WHEN $2::text IS NULL THEN 'credential_changed' ELSE 'connection_changed' END, concat_ws(' ', $1::text, $2::text)
      FROM stored
    )
    SELECT connection FROM stored
    """)

  private static let release = PreparedStatement(
    """
    UPDATE connection_credential SET
      lease_until = clock_timestamp() + $5 * interval '1 microsecond', attempt_open = false
    FROM connection
    WHERE connection.id = connection_credential.connection
      AND provider = $1 AND subject IS NOT DISTINCT FROM $2 AND generation = $3 AND lease_epoch = $4
    """)

  public func credential(of connection: ConnectionKey) async throws(StoreFailure) -> StoredCredential? {
    try await database.query(Self.find, connection.columns) { row throws(PostgresError) in
      StoredCredential(generation: try row.int64(0), sealed: try row.bytes(1), expiresAt: try row.moment(2))
    }.first
  }

  public func takeLease(
    on connection: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome {
    let epochs = try await database.query(
      Self.takeLease, connection.columns + [.int64(generation), .int64(duration.wholeMicroseconds)]
    ) { row throws(PostgresError) in try row.int64(0) }
    if let epoch = epochs.first {
      return .taken(ConnectionLease(connection: connection, generation: generation, epoch: epoch))
    }
    return try await heldLease(on: connection, generation: generation)
  }

  /// Why a lease was not given.
  func heldLease(on connection: ConnectionKey, generation: Int64) async throws(StoreFailure) -> LeaseOutcome {
    let found = try await database.query(Self.readLease, connection.columns) { row throws(PostgresError) in
      (generation: try row.int64(0), remaining: try row.optionalInt64(1))
    }
    guard let row = found.first, row.generation == generation else { return .moved }
    // It may have run out between the two statements: the next try gets it.
    return .held(remaining: .microseconds(max(0, row.remaining ?? 0)))
  }

  public func commit(
    _ credential: StoredCredential, under lease: ConnectionLease
  ) async throws(StoreFailure) -> CommitOutcome {
    precondition(credential.generation == lease.generation + 1, "a commit stores the generation after the lease's")
    let stored = try await database.query(
      Self.commit, lease.columns + [.bytes(credential.sealed), .timestamp(credential.expiresAt)])
    return stored.count == 1 ? .stored : .superseded
  }

  public func release(_ lease: ConnectionLease, pause: Duration) async throws(StoreFailure) {
    _ = try await database.query(Self.release, lease.columns + [.int64(pause.wholeMicroseconds)])
  }
}

extension ConnectionKey {
  /// Parameters 1 and 2: provider and subject.
  var columns: [PostgresValue] {
    switch owner {
    case .service: [.text(provider.rawValue), .text(nil)]
    case .subject(let subject): [.text(provider.rawValue), .text(subject.rawValue)]
    }
  }
}

extension ConnectionLease {
  /// Parameters 1 to 4: provider, subject, generation and epoch.
  var columns: [PostgresValue] { connection.columns + [.int64(generation), .int64(epoch)] }
}
