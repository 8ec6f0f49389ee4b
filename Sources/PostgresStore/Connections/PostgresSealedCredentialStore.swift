import Broker
import Cryptography
import Logging
import OAuthCore
import PostgresClient

/// Sealed credentials in PostgreSQL, by their keys. A sealed value begins with the length and the id of its key.
public struct PostgresSealedCredentialStore: SealedCredentialStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  /// Reads every row once, which is done at start: tens of milliseconds for a hundred thousand.
  private static let prefixes = PreparedStatement(
    """
    SELECT DISTINCT substring(sealed FROM 1 FOR get_byte(sealed, 0) + 1) FROM (
      SELECT sealed FROM connection_credential UNION ALL SELECT sealed FROM credential_history
    ) AS kept WHERE octet_length(sealed) > 0
    """)

  private static let establish = PreparedStatement(
    """
    INSERT INTO key_check (key_id, sealed) SELECT * FROM unnest($1::text[], $2::bytea[])
    ON CONFLICT (key_id) DO UPDATE SET sealed = excluded.sealed WHERE key_check.sealed IS NULL
    """)

  private static let checks = PreparedStatement("SELECT key_id, sealed FROM key_check")

  private static let forget = PreparedStatement("DELETE FROM key_check WHERE key_id = $1")

  private static let page = PreparedStatement(
    """
    SELECT page.id, provider, subject, generation, sealed, expires_at
    FROM (SELECT id, provider, subject FROM connection WHERE id > $1 ORDER BY id LIMIT $2) AS page
    LEFT JOIN LATERAL (
      SELECT generation, sealed, expires_at FROM connection_credential
      WHERE connection = page.id AND substring(sealed FROM 1 FOR octet_length($3)) <> $3
      UNION ALL
      SELECT generation, sealed, expires_at FROM credential_history
      WHERE connection = page.id AND substring(sealed FROM 1 FOR octet_length($3)) <> $3
    ) AS stale ON true
    ORDER BY page.id
    """)

  private static let replace = PreparedStatement(
    """
    WITH batch AS (
      SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS batch (connection, old, new)
    ), current AS (
      UPDATE connection_credential SET sealed = new FROM batch
      WHERE connection_credential.connection = batch.connection AND sealed = old RETURNING 1
    ), kept AS (
      UPDATE credential_history SET sealed = new FROM batch
      WHERE credential_history.connection = batch.connection AND sealed = old RETURNING 1
    )
    SELECT (SELECT count(*) FROM current) + (SELECT count(*) FROM kept)
    """)

  public func keyIDs() async throws(StoreFailure) -> Set<String> {
    let prefixes = try await database.query(Self.prefixes, []) { row throws(PostgresError) in try row.bytes(0) }
    return Set(prefixes.compactMap(KeyRing.keyID))
  }

  public func establish(checks: [String: [UInt8]]) async throws(StoreFailure) -> [String: [UInt8]?] {
    let keys = Array(checks)
    _ = try await database.query(Self.establish, [.textArray(keys.map(\.key)), .bytesArray(keys.map(\.value))])
    let rows = try await database.query(Self.checks, []) { row throws(PostgresError) in
      (try row.text(0), try row.optionalBytes(1))
    }
    return Dictionary(uniqueKeysWithValues: rows)
  }

  public func forgetCheck(of keyID: String) async throws(StoreFailure) {
    _ = try await database.query(Self.forget, [.text(keyID)])
  }

  public func page(
    after position: Locator?, count: Int, sealedUnderOthersThan keyID: String
  ) async throws(StoreFailure) -> SealedPage {
    let prefix = [UInt8(keyID.utf8.count)] + Array(keyID.utf8)
    let found = try await database.query(
      Self.page, [.locator(position ?? Locator(high: 0, low: 0)), .int64(Int64(count)), .bytes(prefix)]
    ) { row throws(PostgresError) in
      (position: try row.locator(0), stale: try row.optionalBytes(4) == nil ? nil : try Self.row(row))
    }
    return SealedPage(
      rows: found.compactMap(\.stale), connectionCount: Set(found.map(\.position)).count, last: found.last?.position)
  }

  public func replace(_ replacements: [SealedReplacement]) async throws(StoreFailure) -> Int {
    let counts = try await database.query(Self.replace, [
      .uuidWordsArray(replacements.map { ($0.position.high, $0.position.low) }), .bytesArray(replacements.map(\.old)),
      .bytesArray(replacements.map(\.new)),
    ]) { row throws(PostgresError) in Int(try row.int64(0)) }
    return counts.first ?? 0
  }

  private static func row(_ row: PostgresRow) throws(PostgresError) -> SealedRow {
    let owner = try row.optionalText(2).map { ConnectionKey.Owner.subject(Subject($0)) } ?? .service
    return SealedRow(
      position: try row.locator(0), key: ConnectionKey(provider: ProviderID(try row.text(1)), owner: owner),
      credential: StoredCredential(generation: try row.int64(3), sealed: try row.bytes(4), expiresAt: try row.moment(5)))
  }
}
