import Logging
import OAuthCore
import PostgresClient

/// What subjects have allowed, in PostgreSQL: one row per subject and client.
public struct PostgresConsentStore: ConsentStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let findOne = PreparedStatement(
    "SELECT subject, client, scope, granted_at FROM consent WHERE subject = $1 AND client = $2")

  private static let findAll = PreparedStatement(
    "SELECT subject, client, scope, granted_at FROM consent WHERE subject = $1 ORDER BY client")

  /// Keeps the order in which scopes were first allowed.
  private static let allow = PreparedStatement(
    """
    INSERT INTO consent (subject, client, scope, granted_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (subject, client) DO UPDATE SET
      scope = consent.scope || ARRAY(
        SELECT added FROM unnest(excluded.scope) WITH ORDINALITY AS given (added, position)
        WHERE added <> ALL (consent.scope) ORDER BY position),
      granted_at = excluded.granted_at
    """)

  private static let withdraw = PreparedStatement("DELETE FROM consent WHERE subject = $1 AND client = $2")

  public func consent(of subject: Subject, for client: ClientID) async throws(StoreFailure) -> Consent? {
    try await database.query(
      Self.findOne, [.text(subject.rawValue), .text(client.rawValue)], Self.consent
    ).first
  }

  public func consents(of subject: Subject) async throws(StoreFailure) -> [Consent] {
    try await database.query(Self.findAll, [.text(subject.rawValue)], Self.consent)
  }

  public func allow(
    _ scope: ScopeSet, to client: ClientID, by subject: Subject, at now: Timestamp
  ) async throws(StoreFailure) {
    _ = try await database.query(
      Self.allow, [.text(subject.rawValue), .text(client.rawValue), .scopes(scope), .timestamp(now)])
  }

  public func withdraw(from client: ClientID, by subject: Subject, at now: Timestamp) async throws(StoreFailure) {
    _ = try await database.query(Self.withdraw, [.text(subject.rawValue), .text(client.rawValue)])
  }

  private static func consent(_ row: PostgresRow) throws(PostgresError) -> Consent {
    Consent(
      subject: Subject(try row.text(0)), client: ClientID(try row.text(1)), scope: try row.scopes(2),
      grantedAt: try row.moment(3))
  }
}
