import EventLoop
import LocalPostgres
import PostgresClient
import Testing

@Suite("Migrations")
struct MigratorTests {
  private static let first = Migration(
    number: 1, name: "0001_first.sql", sql: "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\nSELECT pg_sleep(0.1);")
  private static let second = Migration(number: 2, name: "0002_second.sql", sql: "CREATE TABLE b (id int);")

  private func fresh() throws -> PostgresConfiguration {
    PostgresConfiguration(connectionString: try LocalPostgres.shared().freshDatabase())
  }

  private func migrate(_ migrations: [Migration], _ configuration: PostgresConfiguration) async throws -> [String] {
    try await onLoop { loop in
      try await Migrator.migrate(migrations, on: loop, configuration: configuration, logger: silent)
    }
  }

  private func ask(_ sql: String, _ configuration: PostgresConfiguration) async throws -> Int64 {
    try await onLoop { loop in
      let pool = PostgresPool(loop: loop, configuration: configuration, logger: silent)
      pool.start()
      let rows = try await pool.query(PreparedStatement(sql))
      await pool.close()
      return try rows[0].int64(0)
    }
  }

  @Test("four processes on an empty database apply each migration once")
  func concurrent() async throws {
    let configuration = try fresh()
    let applied = try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<4 {
        group.addTask { try await migrate([Self.first, Self.second], configuration) }
      }
      return try await group.reduce(into: [String]()) { $0 += $1 }
    }
    #expect(applied == [Self.first.name, Self.second.name])
    #expect(try await ask("SELECT count(*) FROM a", configuration) == 1)
  }

  @Test("only what is missing is applied, and pending names it before")
  func incremental() async throws {
    let configuration = try fresh()
    let both = [Self.first, Self.second]
    func pending() async throws -> [String] {
      try await onLoop { loop in try await Migrator.pending(both, on: loop, configuration: configuration) }
    }
    #expect(try await pending() == [Self.first.name, Self.second.name])
    #expect(try await migrate([Self.first], configuration) == [Self.first.name])
    #expect(try await pending() == [Self.second.name])
    #expect(try await migrate(both, configuration) == [Self.second.name])
    #expect(try await pending() == [])
  }

  @Test("a binary that knows fewer migrations than the database has applies nothing and does not fail")
  func older() async throws {
    let configuration = try fresh()
    _ = try await migrate([Self.first, Self.second], configuration)
    #expect(try await migrate([Self.first], configuration) == [])
  }

  @Test("a migration that was altered after it was applied is refused by name")
  func altered() async throws {
    let configuration = try fresh()
    _ = try await migrate([Self.first], configuration)
    let changed = Migration(number: 1, name: Self.first.name, sql: Self.first.sql + " ")
    await #expect(throws: MigrationError.altered(name: Self.first.name)) {
      try await migrate([changed, Self.second], configuration)
    }
    #expect(try await ask("SELECT count(*) FROM schema_migration", configuration) == 1)
  }

  @Test("a failing migration is rolled back whole, named with its line, and those before it stay")
  func failing() async throws {
    let configuration = try fresh()
    let broken = Migration(
      number: 2, name: "0002_broken.sql", sql: "CREATE TABLE b (id int);\n\nINSERT INTO nowhere VALUES (1);")
    let error = await #expect(throws: MigrationError.self) { try await migrate([Self.first, broken], configuration) }
    #expect(error?.description.hasPrefix("0002_broken.sql line 3 failed and was rolled back: ") == true)
    #expect(error?.description.contains("nowhere") == true)
    #expect(try await ask("SELECT count(*) FROM schema_migration", configuration) == 1)
    #expect(try await ask("SELECT count(*) FROM pg_class WHERE relname = 'b'", configuration) == 0)
  }

  @Test("a migration that waits too long for a lock gives up and says what to do")
  func blocked() async throws {
    var configuration = try fresh()
    configuration.lockTimeout = .milliseconds(100)
    _ = try await migrate([Self.first], configuration)
    let alter = Migration(number: 2, name: "0002_alter.sql", sql: "ALTER TABLE a ADD b int;")
    try await onLoop { [configuration] loop in
      let pool = PostgresPool(loop: loop, configuration: configuration, logger: silent)
      pool.start()
      let refused = try await pool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(PreparedStatement("SELECT * FROM a"))
        do {
          _ = try await Migrator.migrate([Self.first, alter], on: loop, configuration: configuration, logger: silent)
          return ""
        } catch { return "\(error)" }
      }
      #expect(refused.hasPrefix("0002_alter.sql waited too long for a lock and was rolled back"))
      await pool.close()
    }
    #expect(try await migrate([Self.first, alter], configuration) == [alter.name])
  }

  @Test("a database out of reach is a sentence")
  func unreachable() async throws {
    let configuration = PostgresConfiguration(connectionString: "postgresql:///x?host=/nonexistent")
    let error = await #expect(throws: MigrationError.self) { try await migrate([Self.first], configuration) }
    #expect(error?.description.hasPrefix("the database cannot be reached: ") == true)
  }
}
