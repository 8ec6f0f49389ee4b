import EventLoop
import Logging

/// Brings a schema up to date: forward only, each migration in a transaction of its own, one process at a time.
///
/// What was applied stands in `schema_migration`, with the SHA-256 of its SQL. Migrations that the database has and this binary
/// does not know are left alone: the binary before the last runs on the schema of the last.
public enum Migrator {
  /// Names the advisory lock; "postern" in ASCII.
  private static let lockKey: Int64 = 0x70_6f73_7465_726e
  /// How long to wait for another process that migrates.
  private static let otherProcessWait: Duration = .seconds(300)

  /// Applies what is missing, in order. May be called from anywhere and by many processes at once.
  ///
  /// - Parameters:
  ///   - migrations: all that this binary knows, in order, numbered from 1 without gaps.
  ///   - configuration: its `lockTimeout` bounds the wait for each lock; statements themselves may take as long as they need.
  /// - Returns: the names of what this call applied; empty when nothing was missing.
  public static func migrate(
    _ migrations: [Migration], on loop: EventLoop, configuration: PostgresConfiguration, logger: Logger
  ) async throws(MigrationError) -> [String] {
    try await connected(on: loop, configuration) { connection throws(MigrationError) in
      try await lock(connection, lockTimeout: configuration.lockTimeout)
      try await createTable(connection)
      var applied: [String] = []
      for migration in try await missing(migrations, connection) {
        try await apply(migration, connection)
        logger.notice("migration applied", metadata: ["name": "\(migration.name)"])
        applied.append(migration.name)
      }
      return applied
    }
  }

  /// The names of what `migrate` would apply. Changes nothing.
  public static func pending(
    _ migrations: [Migration], on loop: EventLoop, configuration: PostgresConfiguration
  ) async throws(MigrationError) -> [String] {
    try await connected(on: loop, configuration) { connection throws(MigrationError) in
      let rows = try await database { () throws(PostgresError) in
        try await connection.query("SELECT to_regclass('schema_migration') IS NOT NULL")
      }
      guard try databaseValue({ () throws(PostgresError) in try rows[0].bool(0) }) else { return migrations.map(\.name) }
      return try await missing(migrations, connection).map(\.name)
    }
  }

  // MARK: Steps

  private static func connected(
    on loop: EventLoop, _ configuration: PostgresConfiguration,
    _ body: @escaping @Sendable (SoloConnection) async throws(MigrationError) -> [String]
  ) async throws(MigrationError) -> [String] {
    var configuration = configuration
    configuration.statementTimeout = .zero
    configuration.idleInTransactionTimeout = .zero
    let result: Result<[String], MigrationError> = await loop.task { [configuration] in
      do throws(MigrationError) {
        let connection: SoloConnection
        do throws(ConnectFailure) {
          connection = try await SoloConnection.open(loop: loop, configuration: configuration)
        } catch {
          throw MigrationError.unreachable(reason: error.reason)
        }
        // The lock ends with the connection.
        defer { connection.close() }
        return .success(try await body(connection))
      } catch {
        return .failure(error)
      }
    }.value
    return try result.get()
  }

  /// `lock_timeout` counts for advisory locks too, so it is raised for this one.
  private static func lock(_ connection: SoloConnection, lockTimeout: Duration) async throws(MigrationError) {
    try await database { () throws(PostgresError) in
      try await connection.script("SET lock_timeout = \(otherProcessWait.milliseconds)")
      _ = try await connection.query("SELECT pg_advisory_lock($1)", [.int64(lockKey)])
      try await connection.script("SET lock_timeout = \(lockTimeout.milliseconds)")
    }
  }

  private static func createTable(_ connection: SoloConnection) async throws(MigrationError) {
    try await database { () throws(PostgresError) in
      try await connection.script(
        """
        CREATE TABLE IF NOT EXISTS schema_migration (
          number integer PRIMARY KEY,
          name text NOT NULL,
          checksum bytea NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now()
        )
        """)
    }
  }

  /// Compares what is applied with what is known. The server computes the checksums.
  private static func missing(
    _ migrations: [Migration], _ connection: SoloConnection
  ) async throws(MigrationError) -> [Migration] {
    precondition(migrations.enumerated().allSatisfy { $0 + 1 == $1.number }, "migrations are numbered from 1 without gaps")
    let rows = try await database { () throws(PostgresError) in
      try await connection.query(
        """
        SELECT m.number, m.checksum = sha256(convert_to(k.sql, 'UTF8'))
        FROM schema_migration m JOIN unnest($1, $2) AS k(number, sql) USING (number) ORDER BY m.number
        """,
        [.int32Array(migrations.map { Int32($0.number) }), .textArray(migrations.map(\.sql))])
    }
    var appliedCount = 0
    for row in rows {
      let (number, isSame) = try databaseValue { () throws(PostgresError) in (try row.int32(0), try row.bool(1)) }
      guard Int(number) == appliedCount + 1 else { throw .outOfOrder(name: migrations[appliedCount].name) }
      guard isSame else { throw .altered(name: migrations[appliedCount].name) }
      appliedCount += 1
    }
    return Array(migrations.dropFirst(appliedCount))
  }

  private static func apply(_ migration: Migration, _ connection: SoloConnection) async throws(MigrationError) {
    do throws(PostgresError) {
      try await connection.script("BEGIN")
      try await connection.script(migration.sql)
      _ = try await connection.query(
        "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, sha256(convert_to($3, 'UTF8')))",
        [.int32(Int32(migration.number)), .text(migration.name), .text(migration.sql)])
      try await connection.script("COMMIT")
    } catch {
      // Closing the connection, which follows, rolls back.
      throw .failed(name: migration.name, line: line(of: error, in: migration.sql), error)
    }
  }

  private static func line(of error: PostgresError, in sql: String) -> Int? {
    guard case .server(_, let detail) = error, let position = detail.position else { return nil }
    return 1 + sql.unicodeScalars.prefix(position - 1).count { $0 == "\n" }
  }

  private static func database<Value>(
    _ body: () async throws(PostgresError) -> Value
  ) async throws(MigrationError) -> Value {
    do throws(PostgresError) { return try await body() } catch { throw .database(error) }
  }

  private static func databaseValue<Value>(_ body: () throws(PostgresError) -> Value) throws(MigrationError) -> Value {
    do throws(PostgresError) { return try body() } catch { throw .database(error) }
  }
}

extension Duration {
  fileprivate var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
