import EventLoop
import LocalPostgres
import PostgresClient
import Testing

@Suite("Pool")
struct PostgresPoolTests {
  @Test("each of 1,000 concurrent statements on 2 connections gets its own answer")
  func pipelining() async throws {
    try await withPool(readsOnly: true) { pool in
      let echo = PreparedStatement("SELECT $1 * 2")
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<1000 {
          group.addTask(executorPreference: pool.loop) {
            let answer = try? await pool.query(echo, [.int64(Int64(number))])[0].int64(0)
            #expect(answer == Int64(number * 2))
          }
        }
      }
    }
  }

  @Test("a failing statement among 100 fails alone")
  func failsAlone() async throws {
    try await withPool(change: { $0.connectionsPerLoop = 1 }) { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id int PRIMARY KEY CHECK (id <> 50))"))
      let insert = PreparedStatement("INSERT INTO item VALUES ($1)")
      let failures = await withTaskGroup(of: PostgresError?.self) { group in
        for number in 0..<100 {
          group.addTask(executorPreference: pool.loop) { () async -> PostgresError? in
            do throws(PostgresError) {
              _ = try await pool.query(insert, [.int32(Int32(number))])
              return nil
            } catch { return error }
          }
        }
        return await group.reduce(into: [PostgresError]()) { if let failure = $1 { $0.append(failure) } }
      }
      #expect(failures.count == 1)
      #expect(failures.first?.sqlState == "23514")
      let rows = try await pool.query(PreparedStatement("SELECT count(*) FROM item"))
      #expect(try rows[0].int64(0) == 99)
    }
  }

  @Test("a statement that cannot be prepared fails by itself, every time, and its connection goes on")
  func failedPrepare() async throws {
    try await withPool(readsOnly: true, change: { $0.connectionsPerLoop = 1 }) { pool in
      let wrong = PreparedStatement("SELECT no_such_column FROM pg_class")
      let right = PreparedStatement("SELECT 1")
      let outcomes = await withTaskGroup(of: String?.self) { group in
        for number in 0..<30 {
          group.addTask(executorPreference: pool.loop) { () async -> String? in
            do throws(PostgresError) {
              _ = try await pool.query(number % 3 == 0 ? wrong : right)
              return nil
            } catch { return error.sqlState }
          }
        }
        return await group.reduce(into: [String?]()) { $0.append($1) }
      }
      #expect(outcomes.count { $0 == "42703" } == 10)
      #expect(outcomes.count { $0 == nil } == 20)
    }
  }

  @Test("a statement whose result changed shape with the schema is prepared again")
  func staleStatement() async throws {
    try await withPool(change: { $0.connectionsPerLoop = 1 }) { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (a int)"))
      let all = PreparedStatement("SELECT * FROM item")
      _ = try await pool.query(PreparedStatement("INSERT INTO item VALUES (1)"))
      #expect(try await pool.query(all)[0].columnCount == 1)
      _ = try await pool.query(PreparedStatement("ALTER TABLE item ADD b int"))
      #expect(try await pool.query(all)[0].columnCount == 2)
      _ = try await pool.query(PreparedStatement("DEALLOCATE ALL"))
      #expect(try await pool.query(all)[0].columnCount == 2)
    }
  }
}
