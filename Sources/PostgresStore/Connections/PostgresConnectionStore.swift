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
    SELECT state, reason, generation, sealed, expires_at
    FROM connection_credential JOIN connection ON connection.id = connection_credential.connection
    WHERE connection.id = connection_id($1, $2)
    """)

  /// What came too late for a generation is newer than what that generation has replaced.
  private static let findKept = PreparedStatement(
    """
    SELECT generation, sealed, expires_at, was_presented FROM credential_history
    WHERE connection = connection_id($1, $2) ORDER BY generation DESC, lease_epoch DESC
    """)

  /// `ON CONFLICT DO UPDATE` changes nothing, but unlike `DO NOTHING` it returns the row that another instance has just
  /// made. It names a column that is in no key: the lock is then one that foreign keys do not wait for, as those of an
  /// attempt, whose statement holds the other row.
  static let prepare = PreparedStatement(
    """
    WITH target AS (
      INSERT INTO connection (id, provider, subject, state, created_at)
      VALUES (gen_random_uuid(), $1, $2, 'pending', clock_timestamp())
      ON CONFLICT (provider, subject) DO UPDATE SET state = connection.state
      RETURNING id
    )
    INSERT INTO connection_credential (connection, generation, lease_epoch) SELECT id, 0, 0 FROM target
    ON CONFLICT (connection) DO UPDATE SET lease_epoch = connection_credential.lease_epoch
    RETURNING generation
    """)

  /// The old row is read under the lock that the update takes, so that the attempt before this one is seen.
  private static let takeLease = PreparedStatement(
    """
    WITH target AS (
      SELECT connection_credential.connection, attempt_open
      FROM connection_credential JOIN connection ON connection.id = connection_credential.connection
      WHERE connection.id = connection_id($1, $2) AND (state = 'active' OR $5) AND generation = $3
        AND (lease_until > clock_timestamp()) IS NOT TRUE
      FOR UPDATE OF connection_credential
    ), leased AS (
      UPDATE connection_credential SET
        lease_epoch = lease_epoch + 1, lease_until = clock_timestamp() + $4 * interval '1 microsecond', attempt_open = true
      FROM target WHERE connection_credential.connection = target.connection
      RETURNING target.connection, generation, lease_epoch, target.attempt_open
    ), attempted AS (
      INSERT INTO refresh_attempt (connection, slot, lease_epoch, generation, started_at)
      SELECT connection, lease_epoch % 16, lease_epoch, generation, clock_timestamp() FROM leased
      ON CONFLICT (connection, slot) DO UPDATE SET
        lease_epoch = excluded.lease_epoch, generation = excluded.generation, started_at = excluded.started_at,
        ended_at = NULL, outcome = NULL
    )
    SELECT lease_epoch, attempt_open FROM leased
    """)

  /// Why a lease was not given: the generation, and the microseconds that another's lease still runs.
  static let readLease = PreparedStatement(
    """
    SELECT generation, (extract(epoch FROM lease_until - clock_timestamp()) * 1000000)::bigint
    FROM connection_credential WHERE connection = connection_id($1, $2)
    """)

  /// A user's connection goes by the generation alone, and what was replaced or came too late is kept.
  private static let commit = PreparedStatement(
    """
    WITH old AS (
      SELECT connection_credential.connection, subject, state, generation, sealed, expires_at
      FROM connection_credential JOIN connection ON connection.id = connection_credential.connection
      WHERE connection.id = connection_id($1, $2)
      FOR UPDATE OF connection_credential
    ), stored AS (
      UPDATE connection_credential SET
        generation = $3 + 1, sealed = $5, expires_at = $6, lease_until = NULL, attempt_open = false
      FROM old
      WHERE connection_credential.connection = old.connection AND old.generation = $3
        AND (lease_epoch = $4 OR old.subject IS NOT NULL)
      RETURNING old.connection
    ), activated AS (
      UPDATE connection SET state = 'active', reason = NULL
      WHERE id IN (SELECT connection FROM stored) AND state IN ('pending', 'needs_reauth')
    ), attempted AS (
      UPDATE refresh_attempt SET
        ended_at = clock_timestamp(),
        outcome = CASE WHEN EXISTS (SELECT FROM stored) THEN 'stored' ELSE 'superseded' END
      FROM old
      WHERE refresh_attempt.connection = old.connection AND slot = $4 % 16 AND lease_epoch = $4 AND outcome IS NULL
    ), kept AS (
      INSERT INTO credential_history (connection, generation, lease_epoch, was_presented, sealed, expires_at)
      SELECT connection, generation, $4, true, sealed, expires_at FROM old
      WHERE subject IS NOT NULL AND EXISTS (SELECT FROM stored)
      UNION ALL
      SELECT connection, $3 + 1, $4, false, $5, $6 FROM old
      WHERE subject IS NOT NULL AND generation = $3 + 1 AND state <> 'revoked' AND sealed <> $5
      ON CONFLICT (connection, generation, lease_epoch) DO NOTHING
    ), forgotten AS (
      DELETE FROM credential_history WHERE connection IN (SELECT connection FROM stored) AND generation < $3 - 1
    ), scheduled AS (
      INSERT INTO renewal (connection, provider, due_at, renewed_at)
      SELECT connection, $1, $7, clock_timestamp() FROM stored WHERE $7::timestamptz IS NOT NULL
      ON CONFLICT (connection) DO UPDATE SET due_at = excluded.due_at, renewed_at = excluded.renewed_at
    ), logged AS (
      INSERT INTO change_log (kind, key)
      SELECT CASE WHEN $2::text IS NULL THEN 'credential_changed' ELSE 'connection_changed' END, concat_ws(' ', $1::text, $2::text)
      FROM stored
    )
    SELECT connection FROM stored
    """)

  private static let release = PreparedStatement(
    """
    WITH released AS (
      UPDATE connection_credential SET
        lease_until = clock_timestamp() + $5 * interval '1 microsecond', attempt_open = $6
      WHERE connection = connection_id($1, $2) AND generation = $3 AND lease_epoch = $4
      RETURNING connection
    )
    UPDATE refresh_attempt SET ended_at = clock_timestamp(), outcome = $7
    FROM released WHERE refresh_attempt.connection = released.connection AND slot = $4 % 16 AND lease_epoch = $4
    """)

  private static let requireReauthentication = PreparedStatement(
    """
    WITH ended AS (
      UPDATE connection_credential SET lease_until = NULL, attempt_open = false
      WHERE connection = connection_id($1, $2) AND generation = $3 AND lease_epoch = $4
      RETURNING connection
    ), attempted AS (
      UPDATE refresh_attempt SET ended_at = clock_timestamp(), outcome = 'refused'
      FROM ended WHERE refresh_attempt.connection = ended.connection AND slot = $4 % 16 AND lease_epoch = $4
    ), unscheduled AS (
      DELETE FROM renewal WHERE connection IN (SELECT connection FROM ended)
    ), marked AS (
      UPDATE connection SET state = 'needs_reauth', reason = $5
      WHERE id IN (SELECT connection FROM ended) AND state = 'active'
      RETURNING provider, subject
    )
    INSERT INTO change_log (kind, key) SELECT 'connection_changed', provider || ' ' || subject FROM marked
    """)

  public func connection(_ key: ConnectionKey) async throws(StoreFailure) -> StoredConnection? {
    try await database.query(Self.find, key.columns) { row throws(PostgresError) -> StoredConnection? in
      guard let state = try ConnectionState(row, 0) else { return nil }
      guard let sealed = try row.optionalBytes(3), let expiresAt = try row.optionalMoment(4) else {
        return StoredConnection(state: state, credential: nil)
      }
      return StoredConnection(
        state: state,
        credential: StoredCredential(generation: try row.int64(2), sealed: sealed, expiresAt: expiresAt))
    }.first ?? nil
  }

  public func keptCredentials(of key: ConnectionKey) async throws(StoreFailure) -> [KeptCredential] {
    try await database.query(Self.findKept, key.columns) { row throws(PostgresError) in
      KeptCredential(
        credential: StoredCredential(generation: try row.int64(0), sealed: try row.bytes(1), expiresAt: try row.moment(2)),
        wasPresented: try row.bool(3))
    }
  }

  public func takeLease(
    on key: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome {
    if let lease = try await takeFreeLease(on: key, generation, duration) { return .taken(lease) }
    let found = try await database.query(Self.readLease, key.columns) { row throws(PostgresError) in
      (generation: try row.int64(0), remaining: try row.optionalInt64(1))
    }
    guard let row = found.first else {
      guard key.isRepeatable, generation == 0 else { return .moved }
      _ = try await database.query(Self.prepare, key.columns)
      return try await takeLease(on: key, generation: generation, for: duration)
    }
    guard row.generation == generation else { return .moved }
    let remaining = max(0, row.remaining ?? 0)
    // Not held any more: it ran out between the two statements, or the row was made there. The next try gets it, or another.
    if remaining == 0, key.isRepeatable { return try await takeLease(on: key, generation: generation, for: duration) }
    // A user's connection may have ended: whoever asked reads it again.
    return .held(remaining: .microseconds(remaining))
  }

  private func takeFreeLease(
    on key: ConnectionKey, _ generation: Int64, _ duration: Duration
  ) async throws(StoreFailure) -> ConnectionLease? {
    try await database.query(
      Self.takeLease,
      key.columns + [.int64(generation), .int64(duration.wholeMicroseconds), .bool(key.isRepeatable)]
    ) { row throws(PostgresError) in
      ConnectionLease(connection: key, generation: generation, epoch: try row.int64(0), isInDoubt: try row.bool(1))
    }.first
  }

  public func commit(
    _ credential: StoredCredential, under lease: ConnectionLease
  ) async throws(StoreFailure) -> CommitOutcome {
    precondition(credential.generation == lease.generation + 1, "a commit stores the generation after the lease's")
    let stored = try await database.query(
      Self.commit,
      lease.columns + [.bytes(credential.sealed), .timestamp(credential.expiresAt), .timestamp(credential.renewAt)])
    return stored.count == 1 ? .stored : .superseded
  }

  public func release(
    _ lease: ConnectionLease, as outcome: RefreshAttemptOutcome, pause: Duration
  ) async throws(StoreFailure) {
    _ = try await database.query(
      Self.release,
      lease.columns + [
        .int64(pause.wholeMicroseconds), .bool(lease.isInDoubt || outcome == .unknown), .text(outcome.rawValue),
      ])
  }

  public func requireReauthentication(
    _ reason: ReauthenticationReason, under lease: ConnectionLease
  ) async throws(StoreFailure) {
    _ = try await database.query(Self.requireReauthentication, lease.columns + [.text(reason.rawValue)])
  }
}

extension ConnectionKey {
  /// Parameters 1 and 2: provider and subject.
  var columns: [PostgresValue] {
    switch owner {
    case .service: [.text(provider.rawValue), .text(nil)]
    case .subject(let subject), .exchanged(let subject): [.text(provider.rawValue), .text(subject.rawValue)]
    }
  }
}

extension ConnectionLease {
  /// Parameters 1 to 4: provider, subject, generation and epoch.
  var columns: [PostgresValue] { connection.columns + [.int64(generation), .int64(epoch)] }
}

extension ConnectionState {
  /// Two columns in a row: state and reason; nil for one that was never connected.
  init?(_ row: PostgresRow, _ column: Int) throws(PostgresError) {
    switch try row.text(column) {
    case "active": self = .active
    // A reason that a newer version writes is still one to connect again for.
    case "needs_reauth":
      let reason = try row.optionalText(column + 1).flatMap(ReauthenticationReason.init(rawValue:))
      self = .needsReauthentication(reason ?? .refreshTokenRefused)
    case "revoked": self = .revoked
    default: return nil
    }
  }
}
