import EventLoop
import Glibc
import LocalPostgres
import PostgresClient
import Synchronization
import Testing

// A pool that never recovers must fail its test, not stop the run.
@Suite("Recovery", .timeLimit(.minutes(5)))
struct RecoveryTests {
  private static let one = PreparedStatement("SELECT 1")

  /// Asks until the database answers; bounded, so that a pool that never recovers fails the test.
  private func waitUntilAnswered(_ pool: PostgresPool) async throws {
    for _ in 0..<200 {
      if (try? await pool.query(Self.one)) != nil { return }
      await pool.loop.sleep(for: .milliseconds(50))
    }
    Issue.record("the pool did not recover")
  }

  @Test("after kill -9 of PostgreSQL what is under way fails as unavailable, and the pool recovers by itself")
  func kill() async throws {
    try await withOwnCluster("kill") { cluster in
      try await withPool(cluster: cluster, change: { $0.availabilityWait = .milliseconds(100) }) { pool in
        let sleep = PreparedStatement("SELECT pg_sleep(30)")
        _ = try await pool.query(Self.one)
        let underWay = pool.loop.task { await outcomes(of: 10, on: pool) { try await pool.query(sleep) } }
        await pool.loop.sleep(for: .milliseconds(50))
        try cluster.kill()
        #expect(await underWay.value.allSatisfy { $0 == .unavailable })
        await #expect(throws: PostgresError.unavailable) { try await pool.query(Self.one) }
        #expect(!pool.isAvailable)
        try cluster.startServer()
        try await waitUntilAnswered(pool)
        #expect(pool.isAvailable)
      }
    }
  }

  @Test("an orderly restart of PostgreSQL is survived too")
  func restart() async throws {
    try await withOwnCluster("restart") { cluster in
      try await withPool(cluster: cluster) { pool in
        _ = try await pool.query(Self.one)
        try cluster.restart()
        try await waitUntilAnswered(pool)
      }
    }
  }

  @Test("a transaction whose connection is lost fails as unavailable and leaves nothing")
  func transaction() async throws {
    try await withPool { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id int)"))
      await #expect(throws: PostgresError.unavailable) {
        try await pool.transaction { connection throws(PostgresError) in
          _ = try await connection.query(PreparedStatement("INSERT INTO item VALUES (1)"))
          _ = try await connection.query(PreparedStatement("SELECT pg_terminate_backend(pg_backend_pid())"))
        }
      }
      #expect(try await pool.query(PreparedStatement("SELECT count(*) FROM item"))[0].int64(0) == 0)
    }
  }

  @Test("a server that falls silent counts as lost")
  func silence() async throws {
    try await withPool(change: {
      $0.connectionsPerLoop = 1
      $0.statementTimeout = .milliseconds(100)
    }) { pool in
      let backend = try await pool.query(PreparedStatement("SELECT pg_backend_pid()"))[0].int32(0)
      #expect(Glibc.kill(backend, SIGSTOP) == 0)
      defer { _ = Glibc.kill(backend, SIGCONT) }
      await #expect(throws: PostgresError.unavailable) { try await pool.query(Self.one) }
      let next = try await pool.query(PreparedStatement("SELECT pg_backend_pid()"))[0].int32(0)
      #expect(next != backend)
    }
  }

  @Test("a dead first host of several is passed over")
  func secondHost() async throws {
    let cluster = try LocalPostgres.shared()
    let string = "host=/nonexistent,\(cluster.socketDirectory) user=\(LocalPostgres.user) dbname=postgres"
    try await onLoop { loop in
      let pool = PostgresPool(loop: loop, configuration: PostgresConfiguration(connectionString: string), logger: silent)
      pool.start()
      let rows = try await pool.query(Self.one)
      #expect(rows.count == 1)
      await pool.close()
    }
  }

  @Test("a host that cannot be written to is not used")
  func readOnly() async throws {
    try await withOwnCluster("readonly") { cluster in
      let connectionString = cluster.connectionString() + "&options=-c%20default_transaction_read_only%3Don"
      var configuration = PostgresConfiguration(connectionString: connectionString)
      configuration.availabilityWait = .milliseconds(100)
      try await onLoop { [configuration] loop in
        let pool = PostgresPool(loop: loop, configuration: configuration, logger: silent)
        pool.start()
        await #expect(throws: PostgresError.unavailable) { try await pool.query(Self.one) }
        await pool.close()
      }
    }
  }

  @Test("a listener hears notifications, says when it is deaf, and hears again after PostgreSQL was killed")
  func listen() async throws {
    try await withOwnCluster("listen") { cluster in
      try await onLoop { loop in
        let configuration = PostgresConfiguration(connectionString: cluster.connectionString())
        let pool = PostgresPool(loop: loop, configuration: configuration, logger: silent)
        pool.start()
        let (events, stream) = AsyncStream.makeStream(of: String.self)
        let listener = PostgresListener(
          loop: loop, configuration: configuration, channels: ["change", "Odd \"name"], logger: silent,
          onConnected: { stream.yield("connected") }, onLost: { stream.yield("lost") },
          onNotification: { stream.yield("\($0): \($1)") })
        listener.start()
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() == "connected")
        #expect(listener.isListening)
        _ = try await pool.query(PreparedStatement("SELECT pg_notify($1, $2)"), [.text("Odd \"name"), .text("1")])
        #expect(await iterator.next() == "Odd \"name: 1")
        try cluster.kill()
        #expect(await iterator.next() == "lost")
        #expect(!listener.isListening)
        try cluster.startServer()
        #expect(await iterator.next() == "connected")
        try await waitUntilAnswered(pool)
        _ = try await pool.query(PreparedStatement("SELECT pg_notify($1, $2)"), [.text("change"), .text("2")])
        #expect(await iterator.next() == "change: 2")
        listener.close()
        await pool.close()
      }
    }
  }
}
