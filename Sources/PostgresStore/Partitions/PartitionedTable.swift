import OAuthCore

/// A table whose rows expire, and how it is cut into partitions by time.
struct PartitionedTable: Sendable {
  var name: String
  /// What the table is cut by: a moment, or a UUIDv7 by the time in it.
  var keyColumn: String
  /// The moment of a row that `kept` counts from where the partition does not tell it.
  var expiryColumn: String
  /// Time that one partition spans.
  var width: Duration
  /// How far ahead of now partitions exist.
  var ahead: Duration
  /// How long a partition is kept after the time it spans.
  var kept: Duration
  /// Percentage of each page that inserts may fill; below 100 where rows are updated in place.
  var fillfactor: Int32 = 100
}

/// How long things live at most; what is dropped when follows from it.
///
/// Shortening a lifetime ends early what was issued under the longer one, which is what shortening asks for.
public struct Retention: Sendable, Equatable {
  public var accessTokenLifetimeMax: Duration
  /// Of a grant family: the absolute lifetime of refresh tokens.
  public var familyLifetimeMax: Duration
  public var sessionLifetimeMax: Duration

  public init(accessTokenLifetimeMax: Duration, familyLifetimeMax: Duration, sessionLifetimeMax: Duration) {
    self.accessTokenLifetimeMax = accessTokenLifetimeMax
    self.familyLifetimeMax = familyLifetimeMax
    self.sessionLifetimeMax = sessionLifetimeMax
  }
}

extension PartitionedTable {
  /// Clocks of instances may differ by less than this.
  private static let clockSkew: Duration = .hours(1)

  /// Every partitioned table of the schema.
  static func all(_ retention: Retention) -> [PartitionedTable] {
    let tokens = retention.accessTokenLifetimeMax + clockSkew
    return [
      PartitionedTable(
        name: "access_token", keyColumn: "locator", expiryColumn: "expires_at",
        width: .hours(6), ahead: .days(2), kept: tokens),
      PartitionedTable(
        name: "revoked_token", keyColumn: "locator", expiryColumn: "expires_at",
        width: .hours(6), ahead: .days(2), kept: tokens),
      // A family outlives its tokens: without it they would count as ended.
      PartitionedTable(
        name: "grant_family", keyColumn: "locator", expiryColumn: "expires_at",
        width: .days(28), ahead: .days(28), kept: retention.familyLifetimeMax + tokens, fillfactor: 70),
      // By expiry, not by creation: nothing else is known of an artefact when it is presented again.
      PartitionedTable(
        name: "once", keyColumn: "expires_at", expiryColumn: "expires_at",
        width: .hours(6), ahead: .days(2), kept: clockSkew),
      PartitionedTable(
        name: "session", keyColumn: "locator", expiryColumn: "expires_at",
        width: .days(1), ahead: .days(2), kept: retention.sessionLifetimeMax + clockSkew),
      // Longer than `ChangeListener.silenceMax`.
      PartitionedTable(
        name: "change_log", keyColumn: "created_at", expiryColumn: "created_at",
        width: .days(1), ahead: .days(2), kept: .days(1)),
    ]
  }
}

extension Duration {
  static func hours(_ count: Int64) -> Duration { .seconds(count * 3600) }
  static func days(_ count: Int64) -> Duration { .seconds(count * 86_400) }
}
