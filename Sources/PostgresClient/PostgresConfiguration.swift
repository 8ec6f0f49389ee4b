/// Where PostgreSQL is and how much may be asked of it at once.
public struct PostgresConfiguration: Sendable {
  /// A libpq URI or conninfo string; may name several hosts. May hold a password, so it is never printed.
  public var connectionString: String
  /// Connections of each loop's pool; one of them can be held by a transaction.
  public var connectionsPerLoop = 2
  /// Statements that one connection may have under way. More would only queue in the server, behind a slow one.
  public var inFlightCountMax = 64
  /// Statements of one pool that may wait for a connection; one more is refused with `.overloaded`.
  public var queueCountMax = 4096
  /// How long a statement waits while no connection is up, before it fails with `.unavailable`.
  public var availabilityWait: Duration = .seconds(2)
  /// Server-side limit of one statement; `.zero` for none. Whole milliseconds.
  public var statementTimeout: Duration = .seconds(5)
  /// Server-side limit of the wait for one lock; `.zero` for none. Whole milliseconds.
  public var lockTimeout: Duration = .seconds(2)
  /// Server-side limit of the pause between two statements of a transaction; `.zero` for none. Whole milliseconds.
  public var idleInTransactionTimeout: Duration = .seconds(30)
  /// For each host of the connection string. Whole seconds; libpq takes 2 as the least.
  public var connectTimeout: Duration = .seconds(2)
  /// Shown in `pg_stat_activity`.
  public var applicationName = "postern"

  public init(connectionString: String) { self.connectionString = connectionString }
}

extension PostgresConfiguration: CustomStringConvertible, CustomReflectable {
  public var description: String { "PostgreSQL as \(applicationName)" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
