import EventLoop
import LocalPostgres
import PostgresClient
import Testing

@Suite("Batched inserts")
struct BatchedInsertTests {
  private static let insert = PreparedStatement("INSERT INTO item (id, body) SELECT * FROM unnest($1, $2)")

  private func withTable(
    _ body: @escaping @Sendable (PostgresPool, BatchedInsert<(Int64, String)>) async throws -> Void
  ) async throws {
    try await withPool { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id bigint PRIMARY KEY, body text NOT NULL)"))
      try await body(
        pool,
        BatchedInsert(pool: pool, statement: Self.insert) { rows in
          [.int64Array(rows.map(\.0)), .textArray(rows.map(\.1))]
        })
    }
  }

  private func count(_ pool: PostgresPool) async throws -> Int64 {
    try await pool.query(PreparedStatement("SELECT count(*) FROM item WHERE body = 'row ' || id"))[0].int64(0)
  }

  @Test("4,000 concurrent rows share commits, and every one is there")
  func shared() async throws {
    try await withTable { pool, batch in
      let failures = await outcomes(of: 4000, on: pool) { number in
        try await batch.insert((Int64(number), "row \(number)"))
      }
      #expect(failures.allSatisfy { $0 == nil })
      #expect(try await self.count(pool) == 4000)
      // One transaction inserted all rows with the same xmin.
      let commits = try await pool.query(PreparedStatement("SELECT count(DISTINCT xmin::text) FROM item"))[0].int64(0)
      #expect(commits < 100)
      #expect(Int64(batch.batchCount) == commits)
    }
  }

  @Test("a lone row is committed when insert returns")
  func lone() async throws {
    try await withTable { pool, batch in
      try await batch.insert((1, "row 1"))
      #expect(try await self.count(pool) == 1)
      #expect(batch.batchCount == 1)
    }
  }

  @Test("a row that the server refuses fails alone")
  func refused() async throws {
    try await withTable { pool, batch in
      try await batch.insert((7, "row 7"))
      let failures = await outcomes(of: 100, on: pool) { number in
        try await batch.insert((Int64(number), "row \(number)"))
      }
      #expect(failures.compactMap { $0?.sqlState } == ["23505"])
      #expect(try await self.count(pool) == 100)
    }
  }

  @Test("rows beyond the pool's bound are refused")
  func bound() async throws {
    try await withPool(change: { $0.queueCountMax = 100 }) { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id bigint PRIMARY KEY, body text NOT NULL)"))
      let batch = BatchedInsert<Int64>(pool: pool, statement: Self.insert) { rows in
        [.int64Array(rows.map { $0 }), .textArray(rows.map { "row \($0)" })]
      }
      let failures = await outcomes(of: 1000, on: pool) { number in try await batch.insert(Int64(number)) }
      let refusedCount = failures.count { $0 == .overloaded }
      #expect(refusedCount > 0)
      #expect(failures.count { $0 == nil } == 1000 - refusedCount)
      #expect(try await self.count(pool) == Int64(1000 - refusedCount))
    }
  }
}
