import Broker
import Logging
import OAuthCore
import PostgresClient

/// The incidents of providers, in PostgreSQL.
public struct PostgresProviderIncidentStore: ProviderIncidentStore {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  /// The first to meet it says since when.
  private static let record = PreparedStatement(
    """
    INSERT INTO provider_incident (provider, reason, since, closed_until) VALUES ($1, $2, $3, $4)
    ON CONFLICT (provider) DO UPDATE SET
      reason = excluded.reason, since = least(provider_incident.since, excluded.since),
      closed_until = greatest(provider_incident.closed_until, excluded.closed_until)
    """)

  private static let end = PreparedStatement(
    "DELETE FROM provider_incident WHERE provider = $1 AND closed_until <= $2")

  private static let list = PreparedStatement(
    "SELECT provider, reason, since, closed_until FROM provider_incident ORDER BY provider")

  public func record(_ incident: ProviderIncident) async throws(StoreFailure) {
    _ = try await database.query(Self.record, [
      .text(incident.provider.rawValue), .text(incident.refusal.rawValue), .timestamp(incident.since),
      .timestamp(incident.closedUntil),
    ])
  }

  public func end(_ incident: ProviderIncident) async throws(StoreFailure) {
    _ = try await database.query(Self.end, [.text(incident.provider.rawValue), .timestamp(incident.closedUntil)])
  }

  public func incidents() async throws(StoreFailure) -> [ProviderIncident] {
    try await database.query(Self.list, []) { row throws(PostgresError) in
      ProviderIncident(
        provider: ProviderID(try row.text(0)), refusal: ProviderRefusal(rawValue: try row.text(1)) ?? .other,
        since: try row.moment(2), closedUntil: try row.moment(3))
    }
  }
}
