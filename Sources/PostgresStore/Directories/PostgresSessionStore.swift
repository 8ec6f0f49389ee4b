import Logging
import OAuthCore
import PostgresClient

/// Browser sessions in PostgreSQL. They expire with their partition; only an ended one is deleted.
public struct PostgresSessionStore: SessionStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let begin = PreparedStatement(
    """
    WITH ended AS (DELETE FROM session WHERE locator = $1 RETURNING locator),
    logged AS (INSERT INTO change_log (kind, key) SELECT 'session_ended', locator::text FROM ended)
    INSERT INTO session (locator, secret_hash, subject, authenticated_at, expires_at) VALUES ($2, $3, $4, $5, $6)
    """)

  private static let find = PreparedStatement(
    """
    SELECT locator, secret_hash, subject, authenticated_at, expires_at FROM session WHERE locator = $1 AND expires_at > $2
    """)

  private static let end = PreparedStatement(
    """
    WITH ended AS (DELETE FROM session WHERE locator = $1 RETURNING locator)
    INSERT INTO change_log (kind, key) SELECT 'session_ended', locator::text FROM ended
    """)

  public func begin(_ session: BrowserSession, replacing old: Locator?) async throws(StoreFailure) {
    _ = try await database.query(Self.begin, [
      .locator(old),
      .locator(session.locator),
      .digest(session.secretHash),
      .text(session.subject?.rawValue),
      .timestamp(session.authenticatedAt),
      .timestamp(session.expiresAt),
    ])
  }

  public func session(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> BrowserSession? {
    try await database.query(Self.find, [.locator(locator), .timestamp(now)]) { row throws(PostgresError) in
      BrowserSession(
        locator: try row.locator(0), secretHash: try row.digest(1), subject: try row.optionalText(2).map(Subject.init(_:)),
        authenticatedAt: try row.optionalMoment(3), expiresAt: try row.moment(4))
    }.first
  }

  public func end(_ locator: Locator) async throws(StoreFailure) {
    _ = try await database.query(Self.end, [.locator(locator)])
  }
}
