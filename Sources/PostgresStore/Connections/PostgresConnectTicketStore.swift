import Broker
import Logging
import OAuthCore
import PostgresClient

/// Connect tickets, in PostgreSQL.
public struct PostgresConnectTicketStore: ConnectTicketStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let issue = PreparedStatement(
    """
    WITH expired AS (
      DELETE FROM connect_ticket WHERE locator IN (
        SELECT locator FROM connect_ticket WHERE expires_at <= $9
        ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO connect_ticket (locator, secret_hash, client, subject, provider, scopes, return_to, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    """)

  private static let columns = "client, subject, provider, scopes, return_to, expires_at"

  private static let find = PreparedStatement(
    "SELECT \(columns) FROM connect_ticket WHERE locator = $1 AND secret_hash = $2 AND expires_at > $3")

  private static let take = PreparedStatement(
    "DELETE FROM connect_ticket WHERE locator = $1 AND secret_hash = $2 AND expires_at > $3 RETURNING \(columns)")

  public func issue(_ ticket: ConnectTicket, at now: Timestamp) async throws(StoreFailure) {
    _ = try await database.query(Self.issue, [
      .locator(ticket.locator), .digest(ticket.secretHash), .text(ticket.client.rawValue), .text(ticket.subject.rawValue),
      .text(ticket.provider.rawValue), .textArray(ticket.scopes), .text(ticket.returnTo), .timestamp(ticket.expiresAt),
      .timestamp(now),
    ])
  }

  public func ticket(_ handle: Handle, at now: Timestamp) async throws(StoreFailure) -> ConnectTicket? {
    try await ticket(Self.find, handle, at: now)
  }

  public func take(_ handle: Handle, at now: Timestamp) async throws(StoreFailure) -> ConnectTicket? {
    try await ticket(Self.take, handle, at: now)
  }

  private func ticket(
    _ statement: PreparedStatement, _ handle: Handle, at now: Timestamp
  ) async throws(StoreFailure) -> ConnectTicket? {
    let parameters: [PostgresValue] = [.locator(handle.locator), .digest(handle.secretHash), .timestamp(now)]
    return try await database.query(statement, parameters) { row throws(PostgresError) in
      ConnectTicket(
        locator: handle.locator, secretHash: handle.secretHash, client: ClientID(try row.text(0)),
        subject: Subject(try row.text(1)), provider: ProviderID(try row.text(2)), scopes: try row.textArray(3),
        returnTo: try row.optionalText(4), expiresAt: try row.moment(5))
    }.first
  }
}
