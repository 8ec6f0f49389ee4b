import EventLoop
import LocalPostgres
import PostgresClient
import Testing

@Suite("Limits of the pool")
struct PoolLimitsTests {
  private let sleep = PreparedStatement("SELECT pg_sleep($1)")

  @Test("beyond the queue's bound a statement is refused at once, and those before it are answered")
  func queueBound() async throws {
    try await withPool(readsOnly: true, change: {
      $0.connectionsPerLoop = 1
      $0.inFlightCountMax = 1
      $0.queueCountMax = 10
    }) { pool in
      _ = try await pool.query(PreparedStatement("SELECT 1"))
      let failures = await outcomes(of: 20, on: pool) { try await pool.query(self.sleep, [.double(0.01)]) }
      #expect(failures.count { $0 == .overloaded } == 9)
      #expect(failures.count { $0 == nil } == 11)
    }
  }

  @Test("while no connection is up a statement waits a bounded time and fails as unavailable")
  func unavailable() async throws {
    var configuration = PostgresConfiguration(connectionString: "postgresql:///x?host=/nonexistent")
    configuration.availabilityWait = .milliseconds(200)
    try await onLoop { [configuration] loop in
      let pool = PostgresPool(loop: loop, configuration: configuration, logger: silent)
      pool.start()
      #expect(!pool.isAvailable)
      await #expect(throws: PostgresError.unavailable) { try await pool.query(PreparedStatement("SELECT 1")) }
      await #expect(throws: PostgresError.unavailable) {
        try await pool.transaction { connection throws(PostgresError) in
          try await connection.query(PreparedStatement("SELECT 1")).count
        }
      }
      await pool.close()
      await #expect(throws: PostgresError.closed) { try await pool.query(PreparedStatement("SELECT 1")) }
    }
  }

  @Test("the server ends a statement that takes too long, and only that one")
  func statementTimeout() async throws {
    try await withPool(readsOnly: true, change: {
      $0.connectionsPerLoop = 1
      $0.statementTimeout = .milliseconds(100)
    }) { pool in
      await #expect(throws: PostgresError.timeout) { try await pool.query(self.sleep, [.double(30)]) }
      let next = try await pool.query(PreparedStatement("SELECT 1"))
      #expect(next.count == 1)
    }
  }

  @Test("waiting for a lock ends after the lock timeout")
  func lockTimeout() async throws {
    try await withPool(change: { $0.lockTimeout = .milliseconds(100) }) { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id int)"))
      try await pool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(PreparedStatement("LOCK TABLE item"))
        let blocked = await outcomes(of: 1, on: pool) { try await pool.query(PreparedStatement("INSERT INTO item VALUES (1)")) }
        #expect(blocked == [.timeout])
      }
      #expect(try await pool.query(PreparedStatement("INSERT INTO item VALUES (1)")).affected == 1)
    }
  }

  @Test("cancelling callers leaves every answer with its own statement")
  func cancellation() async throws {
    try await withPool(readsOnly: true) { pool in
      let echo = PreparedStatement("SELECT $1 + 1")
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          group.addTask(executorPreference: pool.loop) {
            let task = pool.loop.task { try? await pool.query(echo, [.int64(Int64(number))])[0].int64(0) }
            if number.isMultiple(of: 2) { task.cancel() }
            #expect(await task.value == Int64(number + 1))
          }
        }
      }
    }
  }
}

@Suite("Transactions")
struct TransactionTests {
  private let insert = PreparedStatement("INSERT INTO item VALUES ($1)")
  private let count = PreparedStatement("SELECT count(*) FROM item")

  private func withTable(_ body: @escaping @Sendable (PostgresPool) async throws -> Void) async throws {
    try await withPool { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id int PRIMARY KEY)"))
      try await body(pool)
    }
  }

  @Test("what a transaction did is seen by others only after it returned")
  func commit() async throws {
    try await withTable { pool in
      try await pool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(self.insert, [.int32(1)])
        let seen = try await pool.query(self.count)[0].int64(0)
        #expect(seen == 0)
      }
      let remaining = try await pool.query(self.count)[0].int64(0)
      #expect(remaining == 1)
    }
  }

  @Test("a body that throws undoes everything")
  func rollback() async throws {
    try await withTable { pool in
      await #expect(throws: PostgresError.closed) {
        try await pool.transaction { connection throws(PostgresError) in
          _ = try await connection.query(self.insert, [.int32(1)])
          throw PostgresError.closed
        }
      }
      let remaining = try await pool.query(self.count)[0].int64(0)
      #expect(remaining == 0)
    }
  }

  @Test("a failed statement whose error the body swallows still fails the transaction")
  func swallowed() async throws {
    try await withTable { pool in
      let failure = await #expect(throws: PostgresError.self) {
        try await pool.transaction { connection throws(PostgresError) in
          _ = try await connection.query(self.insert, [.int32(1)])
          _ = try? await connection.query(self.insert, [.int32(1)])
        }
      }
      #expect(failure?.sqlState == "23505")
      let remaining = try await pool.query(self.count)[0].int64(0)
      #expect(remaining == 0)
    }
  }

  @Test("a transaction's connection refuses work after its end")
  func escaped() async throws {
    try await withTable { pool in
      let connection = try await pool.transaction { connection throws(PostgresError) in connection }
      await #expect(throws: PostgresError.closed) { try await connection.query(self.count) }
    }
  }

  @Test("50 concurrent transactions on 2 connections take turns and none starves the other statements")
  func turns() async throws {
    try await withTable { pool in
      let failures = await outcomes(of: 100, on: pool) { number in
        if number.isMultiple(of: 2) {
          try await pool.transaction { connection throws(PostgresError) in
            _ = try await connection.query(self.insert, [.int32(Int32(number))])
            _ = try await connection.query(self.count)
          }
        } else {
          _ = try await pool.query(self.insert, [.int32(Int32(number))])
        }
      }
      #expect(failures.allSatisfy { $0 == nil })
      let remaining = try await pool.query(self.count)[0].int64(0)
      #expect(remaining == 100)
    }
  }
}

/// Runs `body` `count` times at once on the pool's loop and gathers how each ended.
func outcomes(
  of count: Int, on pool: PostgresPool, _ body: @escaping @Sendable (Int) async throws -> Void
) async -> [PostgresError?] {
  await withTaskGroup(of: PostgresError?.self) { group in
    for number in 0..<count {
      group.addTask(executorPreference: pool.loop) {
        do {
          try await body(number)
          return nil
        } catch { return error as? PostgresError ?? .closed }
      }
    }
    return await group.reduce(into: []) { $0.append($1) }
  }
}

func outcomes(
  of count: Int, on pool: PostgresPool, _ body: @escaping @Sendable () async throws -> some Any
) async -> [PostgresError?] {
  await outcomes(of: count, on: pool) { _ in _ = try await body() }
}
