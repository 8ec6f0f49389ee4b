import Broker
import OAuthCore
import PostgresClient

/// What users connect: states beside the credentials, and leases that record their attempts.
extension PostgresConnectionStore: UserConnectionStore {
  private static let findConnection = PreparedStatement(
    """
    SELECT state, reason, generation, sealed, expires_at
    FROM connection_credential JOIN connection ON connection.id = connection_credential.connection
    WHERE provider = $1 AND subject = $2
    """)

  private static let findAll = PreparedStatement(
    """
    SELECT provider, state, reason, connected_at FROM connection
    WHERE subject = $1 AND state IN ('active', 'needs_reauth') AND connected_at IS NOT NULL ORDER BY provider
    """)

  /// The old row is read under the lock that the update takes, so that the attempt before this one is seen.
  private static let takeRefreshLease = PreparedStatement(
    """
    WITH target AS (
      SELECT connection_credential.connection, attempt_open
      FROM connection_credential JOIN connection ON connection.id = connection_credential.connection
      WHERE provider = $1 AND subject = $2 AND state = 'active' AND generation = $3
        AND (lease_until > clock_timestamp()) IS NOT TRUE
      FOR UPDATE OF connection_credential
    )
    UPDATE connection_credential SET
      lease_epoch = lease_epoch + 1, lease_until = clock_timestamp() + $4 * interval '1 microsecond', attempt_open = true
    FROM target WHERE connection_credential.connection = target.connection
    RETURNING lease_epoch, target.attempt_open
    """)

  private static let requireReauthentication = PreparedStatement(
    """
    WITH ended AS (
      UPDATE connection_credential SET lease_until = NULL, attempt_open = false
      FROM connection
      WHERE connection.id = connection_credential.connection
        AND provider = $1 AND subject = $2 AND generation = $3 AND lease_epoch = $4
      RETURNING connection_credential.connection
    ), marked AS (
      UPDATE connection SET state = 'needs_reauth', reason = $5
      WHERE id IN (SELECT connection FROM ended) AND state = 'active'
      RETURNING provider, subject
    )
    INSERT INTO change_log (kind, key) SELECT 'connection_changed', provider || ' ' || subject FROM marked
    """)

  private static let prepare = PreparedStatement(
    """
    WITH target AS (
      INSERT INTO connection (id, provider, subject, state, created_at)
      VALUES (gen_random_uuid(), $1, $2, 'pending', clock_timestamp())
      ON CONFLICT (provider, subject) DO UPDATE SET provider = excluded.provider
      RETURNING id
    )
    INSERT INTO connection_credential (connection, generation, lease_epoch) SELECT id, 0, 0 FROM target
    ON CONFLICT (connection) DO UPDATE SET lease_epoch = connection_credential.lease_epoch
    RETURNING generation
    """)

  private static let establish = PreparedStatement(
    """
    WITH stored AS (
      UPDATE connection_credential SET
        generation = $3, sealed = $4, expires_at = $5, lease_epoch = lease_epoch + 1, lease_until = NULL, attempt_open = false
      FROM connection
      WHERE connection.id = connection_credential.connection
        AND provider = $1 AND subject = $2 AND generation = $3 - 1
      RETURNING connection_credential.connection
    ), activated AS (
      UPDATE connection SET state = 'active', reason = NULL, connected_at = $6
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
      FROM connection
      WHERE connection.id = connection_credential.connection AND provider = $1 AND subject = $2
      RETURNING connection_credential.connection
    ), revoked AS (
      UPDATE connection SET state = 'revoked', reason = NULL WHERE id IN (SELECT connection FROM emptied)
    )
    INSERT INTO change_log (kind, key) SELECT 'connection_changed', $1 || ' ' || $2 FROM emptied
    """)

  public func connection(_ key: ConnectionKey) async throws(StoreFailure) -> UserConnection? {
    try await database.query(Self.findConnection, key.columns) { row throws(PostgresError) -> UserConnection? in
      guard let state = try ConnectionState(row, 0) else { return nil }
      guard let sealed = try row.optionalBytes(3), let expiresAt = try row.optionalMoment(4) else {
        return UserConnection(state: state, credential: nil)
      }
      return UserConnection(
        state: state,
        credential: StoredCredential(generation: try row.int64(2), sealed: sealed, expiresAt: expiresAt))
    }.first ?? nil
  }

  public func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary] {
    try await database.query(Self.findAll, [.text(subject.rawValue)]) { row throws(PostgresError) -> ConnectionSummary? in
      guard let state = try ConnectionState(row, 1) else { return nil }
      return ConnectionSummary(provider: ProviderID(try row.text(0)), state: state, connectedAt: try row.moment(3))
    }.compactMap { $0 }
  }

  public func takeRefreshLease(
    on key: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome {
    let taken = try await database.query(
      Self.takeRefreshLease, key.columns + [.int64(generation), .int64(duration.wholeMicroseconds)]
    ) { row throws(PostgresError) in
      ConnectionLease(connection: key, generation: generation, epoch: try row.int64(0), isInDoubt: try row.bool(1))
    }
    if let lease = taken.first { return .taken(lease) }
    return try await heldLease(on: key, generation: generation)
  }

  public func requireReauthentication(
    _ reason: ReauthenticationReason, under lease: ConnectionLease
  ) async throws(StoreFailure) {
    _ = try await database.query(Self.requireReauthentication, lease.columns + [.text(reason.rawValue)])
  }

  public func prepare(_ key: ConnectionKey) async throws(StoreFailure) -> Int64 {
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
      ])
    return stored.count == 1 ? .stored : .superseded
  }

  public func revoke(_ key: ConnectionKey) async throws(StoreFailure) {
    _ = try await database.query(Self.revoke, key.columns)
  }
}

extension ConnectionState {
  /// Two columns in a row: state and reason; nil for one that was never connected.
  fileprivate init?(_ row: PostgresRow, _ column: Int) throws(PostgresError) {
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
