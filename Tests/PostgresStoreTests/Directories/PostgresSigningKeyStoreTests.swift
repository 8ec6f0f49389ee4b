import OAuthCore
import PostgresClient
import Testing

@testable import PostgresStore

@Suite("Signing keys in PostgreSQL")
struct PostgresSigningKeyStoreTests {
  private static func candidate(_ keyID: String) -> StoredSigningKey {
    StoredSigningKey(keyID: keyID, algorithm: "ES256", sealedPrivateKey: [1], createdAt: Grant.now)
  }

  @Test("two instances that start together end up with one signing key, announced once")
  func together() async throws {
    try await withTwoInstances { first, second in
      let answers = try await inParallel(40, first, second) { instance, number in
        try await PostgresSigningKeyStore(pools: instance.pools, logger: silent)
          .establish(Self.candidate("key-\(number)"))
      }
      #expect(Set(answers.map { $0.map(\.keyID) }).count == 1)
      #expect(try await first.count("signing_key") == 1)
      #expect(try await first.count("change_log") == 1)
    }
  }

  @Test("who comes while another is establishing a key waits, and takes that one")
  func waiting() async throws {
    try await withTwoInstances { first, second in
      let answer = try await first.firstPool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(AdvisoryLock.take, [.int64(AdvisoryLock.signingKeys)])
        _ = try await connection.query(
          PreparedStatement("INSERT INTO signing_key VALUES ('early', 'ES256', '\\x01', now())"))
        let late = second.loops[0].task { () async -> [String]? in
          try? await PostgresSigningKeyStore(pools: second.pools, logger: silent)
            .establish(Self.candidate("late")).map(\.keyID)
        }
        let isSettled = PreparedStatement(
          """
          SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)
            OR (SELECT count(*) FROM signing_key) > 1
          """)
        while try await !connection.query(isSettled)[0].bool(0) { await Task.yield() }
        return late
      }.value
      #expect(answer == ["early"])
    }
  }

  @Test("a key is established though another instance is making the partition that its announcement belongs to")
  func overtaken() async throws {
    try await withTwoInstances { first, second in
      let answer = try await first.firstPool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(
          PreparedStatement(
            """
            SELECT create_partition('change_log', 'created_at', moment - 86400, moment + 86400, 100)
            FROM (SELECT extract(epoch FROM now())::bigint AS moment) AS today
            """))
        let waiting = second.loops[0].task { () async -> [String]? in
          try? await PostgresSigningKeyStore(pools: second.pools, logger: silent)
            .establish(Self.candidate("late")).map(\.keyID)
        }
        let waits = PreparedStatement(
          "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'change_log_default'::regclass)")
        while try await !connection.query(waits)[0].bool(0) { await Task.yield() }
        return waiting
      }.value
      #expect(answer == ["late"])
      #expect(try await first.count("change_log") == 1)
      #expect(try await first.count("change_log_default") == 0)
    }
  }
}
