import Logging
import OAuthCore
import PostgresClient

/// Makes partitions ahead of time and drops those in which everything has expired: the only janitor there is, and it
/// deletes no rows.
///
/// Every instance runs it; an advisory lock lets one at a time work, the others have nothing left to do. Each step is a
/// transaction of its own with a short lock timeout, so that a step that would make callers wait gives up and comes
/// again.
public struct Maintenance: Sendable {
  public struct Report: Sendable, Equatable {
    public var created = 0
    public var dropped = 0
    /// Steps that failed or another instance was busy with; they come again with the next run.
    public var postponed = 0

    public init(created: Int = 0, dropped: Int = 0, postponed: Int = 0) {
      self.created = created
      self.dropped = dropped
      self.postponed = postponed
    }
  }

  /// How often to run: often against the time that partitions are made ahead.
  public static let interval: Duration = .seconds(600)
  /// Longer than this nobody waits behind a step that waits for a lock itself.
  private static let lockTimeout = "500ms"
  /// Steps of one table in one run; far more than there can be.
  private static let stepCountMax = 1000

  private let pools: PoolGroup
  private let retention: Retention
  private let logger: Logger

  public init(pools: PoolGroup, retention: Retention, logger: Logger) {
    self.pools = pools
    self.retention = retention
    self.logger = logger
  }

  /// Does what is due at `now`. Failures are logged; inserts go on, into the default partitions if it must be.
  public func run(at now: Timestamp) async -> Report {
    var report = Report()
    let retention = await effectiveRetention()
    for table in PartitionedTable.all(retention) {
      do {
        try await maintain(table, at: now, &report)
      } catch {
        report.postponed += 1
        logger.warning(
          "maintenance of a table was postponed",
          metadata: ["table": "\(table.name)", "reason": "\(error.debugDescription)"])
      }
    }
    return report
  }

  private static let longestClientLifetime = PreparedStatement("SELECT max(access_token_lifetime) FROM client")

  /// Clients of the database may have lifetimes of their own.
  private func effectiveRetention() async -> Retention {
    var retention = retention
    do {
      let rows = try await pools.current.query(Self.longestClientLifetime)
      let longest: Duration = .microseconds(try rows[0].optionalInt64(0) ?? 0)
      retention.accessTokenLifetimeMax = max(retention.accessTokenLifetimeMax, longest)
    } catch {
      logger.warning("client lifetimes cannot be read: \(error.debugDescription)")
    }
    return retention
  }

  private func maintain(_ table: PartitionedTable, at now: Timestamp, _ report: inout Report) async throws(PostgresError) {
    for _ in 0..<Self.stepCountMax {
      switch try await step(table, at: now) {
      case .created: report.created += 1
      case .dropped: report.dropped += 1
      case .busy:
        report.postponed += 1
        return
      case .done: return
      }
    }
  }

  private enum Step { case created, dropped, busy, done }

  private static let limitLocks = PreparedStatement("SELECT set_config('lock_timeout', $1, true)")

  private static let listPartitions = PreparedStatement(
    """
    SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = $1::regclass
    """)

  private static let create = PreparedStatement("SELECT create_partition($1, $2, $3, $4, $5)")
  private static let drop = PreparedStatement("SELECT drop_partition($1, $2, $3)")
  private static let emptyDefault = PreparedStatement("SELECT empty_default_partition($1, $2, $3)")

  /// One step of what the plan asks for, planned under the lock, so that it is not done twice.
  private func step(_ table: PartitionedTable, at now: Timestamp) async throws(PostgresError) -> Step {
    try await pools.current.transaction { connection throws(PostgresError) in
      guard try await connection.query(AdvisoryLock.tryToTake, [.int64(AdvisoryLock.partitions)])[0].bool(0) else {
        return Step.busy
      }
      _ = try await connection.query(Self.limitLocks, [.text(Self.lockTimeout)])
      var existing: [PartitionSpan] = []
      for row in try await connection.query(Self.listPartitions, [.text(table.name)]) {
        if let span = PartitionSpan(partition: try row.text(0), of: table.name) { existing.append(span) }
      }
      let plan = PartitionPlan(table, existing: existing, at: now)
      if let span = plan.creates.first {
        _ = try await connection.query(Self.create, [
          .text(table.name), .text(table.keyColumn), .int64(span.from), .int64(span.until), .int32(table.fillfactor),
        ])
        return .created
      }
      if let span = plan.drops.first {
        _ = try await connection.query(Self.drop, [.text(table.name), .int64(span.from), .int64(span.until)])
        return .dropped
      }
      _ = try await connection.query(Self.emptyDefault, [
        .text(table.name), .text(table.expiryColumn), .timestamp(now - table.kept),
      ])
      return .done
    }
  }
}
