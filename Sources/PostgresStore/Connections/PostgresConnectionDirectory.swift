import Broker
import Logging
import OAuthCore
import PostgresClient

/// The connections of all users, in PostgreSQL.
public struct PostgresConnectionDirectory: ConnectionDirectory {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let columns = """
    SELECT id, connection.provider, subject, state, reason, generation, connected_at, last_used_at, expires_at, due_at,
      coalesce(scopes, '{}')
    FROM connection JOIN connection_credential ON connection_credential.connection = id
      LEFT JOIN renewal ON renewal.connection = id
    """

  private static let list = PreparedStatement(
    """
    \(columns)
    WHERE subject IS NOT NULL AND connected_at IS NOT NULL AND id > $3
      AND ($1::text IS NULL OR connection.provider = $1) AND ($2::text IS NULL OR subject = $2)
    ORDER BY id LIMIT $4
    """)

  private static let find = PreparedStatement(
    "\(columns) WHERE subject IS NOT NULL AND connected_at IS NOT NULL AND id = $1")

  private static let attempts = PreparedStatement(
    "SELECT generation, started_at, outcome FROM refresh_attempt WHERE connection = $1 ORDER BY lease_epoch DESC")

  public func connections(
    of provider: ProviderID?, subject: Subject?, after id: Locator?, count: Int
  ) async throws(StoreFailure) -> [ConnectionDetails] {
    try await database.query(Self.list, [
      .text(provider?.rawValue), .text(subject?.rawValue), .locator(id ?? Locator(high: 0, low: 0)), .int64(Int64(count)),
    ], Self.details).compactMap { $0 }
  }

  public func connection(id: String) async throws(StoreFailure) -> ConnectionDetails? {
    guard let id = Locator(text: id) else { return nil }
    return try await database.query(Self.find, [.locator(id)], Self.details).first ?? nil
  }

  public func attempts(on id: Locator) async throws(StoreFailure) -> [RecordedAttempt] {
    try await database.query(Self.attempts, [.locator(id)]) { row throws(PostgresError) in
      RecordedAttempt(generation: try row.int64(0), startedAt: try row.moment(1), outcome: try row.optionalText(2))
    }
  }

  private static func details(_ row: PostgresRow) throws(PostgresError) -> ConnectionDetails? {
    guard let state = try ConnectionState(row, 3) else { return nil }
    let owner = ConnectionKey.Owner.subject(Subject(try row.text(2)))
    return ConnectionDetails(
      id: try row.locator(0), key: ConnectionKey(provider: ProviderID(try row.text(1)), owner: owner), state: state,
      generation: try row.int64(5), connectedAt: try row.moment(6), usedAt: try row.optionalMoment(7),
      expiresAt: try row.optionalMoment(8), renewAt: try row.optionalMoment(9), scopes: try row.textArray(10))
  }
}
