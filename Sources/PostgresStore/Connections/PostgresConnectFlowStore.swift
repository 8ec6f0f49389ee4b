import Broker
import Cryptography
import Logging
import OAuthCore
import PostgresClient

/// Users on their way to a provider, in PostgreSQL.
public struct PostgresConnectFlowStore: ConnectFlowStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  /// Of one subject, the newest 16 stay: so many tabs nobody has.
  private static let begin = PreparedStatement(
    """
    WITH expired AS (
      DELETE FROM connect_flow WHERE state_digest IN (
        SELECT state_digest FROM connect_flow WHERE expires_at <= $7
        ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)
    ), surplus AS (
      DELETE FROM connect_flow WHERE state_digest IN (
        SELECT state_digest FROM connect_flow WHERE subject = $3 AND expires_at > $7 ORDER BY expires_at DESC OFFSET 15)
    )
    INSERT INTO connect_flow (state_digest, provider, subject, session, sealed_verifier, expires_at, is_ticketed)
    VALUES ($1, $2, $3, $4, $5, $6, $8)
    """)

  private static let take = PreparedStatement(
    """
    DELETE FROM connect_flow
    WHERE state_digest = $1 AND provider = $2 AND (is_ticketed OR subject = $3) AND session = $4 AND expires_at > $5
    RETURNING subject, sealed_verifier
    """)

  public func begin(_ flow: ConnectFlow, at now: Timestamp) async throws(StoreFailure) {
    _ = try await database.query(Self.begin, [
      .digest(flow.stateDigest), .text(flow.provider.rawValue), .text(flow.subject.rawValue), .locator(flow.session),
      .bytes(flow.sealedSecrets), .timestamp(flow.expiresAt), .timestamp(now),
      .bool(flow.isTicketed),
    ])
  }

  public func take(
    _ stateDigest: Digest256, provider: ProviderID, subject: Subject?, session: Locator, at now: Timestamp
  ) async throws(StoreFailure) -> TakenFlow? {
    try await database.query(Self.take, [
      .digest(stateDigest), .text(provider.rawValue), .text(subject?.rawValue), .locator(session), .timestamp(now),
    ]) { row throws(PostgresError) in
      TakenFlow(subject: Subject(try row.text(0)), sealedSecrets: try row.bytes(1))
    }.first
  }
}
