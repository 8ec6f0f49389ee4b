import Logging
import OAuthCore
import PostgresClient

/// Sealed signing keys in PostgreSQL.
public struct PostgresSigningKeyStore: SigningKeyStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let list = PreparedStatement(
    "SELECT key_id, algorithm, sealed_private_key, created_at FROM signing_key ORDER BY created_at, key_id")

  private static let add = PreparedStatement(
    """
    WITH added AS (
      INSERT INTO signing_key (key_id, algorithm, sealed_private_key, created_at)
      SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM signing_key WHERE algorithm = $2)
      RETURNING key_id
    )
    INSERT INTO change_log (kind, key) SELECT 'signing_keys_changed', '' FROM added
    """)

  private static let reseal = PreparedStatement(
    "UPDATE signing_key SET sealed_private_key = $3 WHERE key_id = $1 AND sealed_private_key = $2")

  public func reseal(_ key: StoredSigningKey, as sealed: [UInt8]) async throws(StoreFailure) {
    _ = try await database.query(Self.reseal, [.text(key.keyID), .bytes(key.sealedPrivateKey), .bytes(sealed)])
  }

  public func signingKeys() async throws(StoreFailure) -> [StoredSigningKey] {
    try await database.query(Self.list, [], Self.key)
  }

  public func establish(_ candidate: StoredSigningKey) async throws(StoreFailure) -> [StoredSigningKey] {
    do {
      return try await database.rerouting { () throws(PostgresError) in try await addUnlessPresent(candidate) }
    } catch {
      throw database.failure(error)
    }
  }

  /// The lock comes in a statement of its own, so that the one after it sees what the holder before has committed.
  private func addUnlessPresent(_ candidate: StoredSigningKey) async throws(PostgresError) -> [StoredSigningKey] {
    try await database.pools.current.transaction { connection throws(PostgresError) in
      _ = try await connection.query(AdvisoryLock.take, [.int64(AdvisoryLock.signingKeys)])
      _ = try await connection.query(Self.add, [
        .text(candidate.keyID), .text(candidate.algorithm), .bytes(candidate.sealedPrivateKey),
        .timestamp(candidate.createdAt),
      ])
      var keys: [StoredSigningKey] = []
      for row in try await connection.query(Self.list) { keys.append(try Self.key(row)) }
      return keys
    }
  }

  private static func key(_ row: PostgresRow) throws(PostgresError) -> StoredSigningKey {
    StoredSigningKey(
      keyID: try row.text(0), algorithm: try row.text(1), sealedPrivateKey: try row.bytes(2), createdAt: try row.moment(3))
  }
}
