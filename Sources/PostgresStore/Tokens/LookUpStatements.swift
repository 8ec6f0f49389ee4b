import OAuthCore
import PostgresClient

extension PostgresTokenStore {
  /// A family that is not found counts as ended: its row outlives every token made from it (`PartitionedTable`).
  private static let accessToken = PreparedStatement(
    """
    SELECT subject, client, scope, audience, authenticated_at, claims, secret_hash, family, expires_at
    FROM access_token AS token
    WHERE locator = $1 AND expires_at > $2
      AND NOT EXISTS (SELECT FROM revoked_token WHERE locator = $1)
      AND (family IS NULL OR EXISTS (SELECT FROM grant_family WHERE locator = token.family AND revoked_at IS NULL))
    """)

  private static let family = PreparedStatement(
    """
    SELECT subject, client, scope, audience, authenticated_at, claims,
      refresh_hash, expires_at, idle_expires_at, revoked_at IS NOT NULL
    FROM grant_family WHERE locator = $1
    """)

  private static let isRevoked = PreparedStatement(
    """
    SELECT EXISTS (SELECT FROM revoked_token WHERE locator = $1)
      OR ($2 IS NOT NULL AND NOT EXISTS (SELECT FROM grant_family WHERE locator = $2 AND revoked_at IS NULL))
    """)

  public func accessToken(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> StoredToken? {
    try await database.query(Self.accessToken, [.locator(locator), .timestamp(now)]) { row throws(PostgresError) in
      StoredToken(
        secretHash: try row.digest(6), authorization: try row.authorization(from: 0),
        family: try row.optionalLocator(7), expiresAt: try row.moment(8))
    }.first
  }

  public func family(_ locator: Locator) async throws(StoreFailure) -> StoredFamily? {
    try await database.query(Self.family, [.locator(locator)]) { row throws(PostgresError) in
      StoredFamily(
        authorization: try row.authorization(from: 0), refreshHash: try row.optionalDigest(6),
        expiresAt: try row.moment(7), idleExpiresAt: try row.moment(8), isRevoked: try row.bool(9))
    }.first
  }

  public func isRevoked(jwtID: Locator, family: Locator?) async throws(StoreFailure) -> Bool {
    let answers = try await database.query(
      Self.isRevoked, [.locator(jwtID), .locator(family)]) { row throws(PostgresError) in try row.bool(0) }
    return answers.first ?? true
  }
}
