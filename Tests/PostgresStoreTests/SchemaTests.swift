import Cryptography
import EventLoop
import LocalPostgres
import OAuthCore
import PostgresClient
import PostgresStore
import Testing

@Suite("Schema")
struct SchemaTests {
  @Test("two instances that start on an empty database make the schema once")
  func twoInstances() async throws {
    let configuration = PostgresConfiguration(connectionString: try LocalPostgres.shared().freshDatabase())
    let group = try EventLoopGroup(count: 2)
    group.start()
    defer { group.stop() }
    let applied = try await withThrowingTaskGroup(of: [String].self) { tasks in
      for loop in group.loops {
        tasks.addTask {
          try await Migrator.migrate(Migration.schema, on: loop, configuration: configuration, logger: silent)
        }
      }
      return try await tasks.reduce(into: []) { $0 += $1 }
    }
    #expect(
      applied == [
        "0001_initial.sql", "0002_connections.sql", "0003_refresh.sql", "0004_key_checks.sql", "0005_connect_tickets.sql",
        "0006_webhooks.sql",
      ])
  }

  @Test("every table of things that expire has a default partition and no foreign key")
  func partitions() async throws {
    try await withInstance { instance in
      let rows = try await instance.sql(
        """
        SELECT c.relname::text, p.partdefid <> 0,
          EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f')
        FROM pg_class AS c JOIN pg_partitioned_table AS p ON p.partrelid = c.oid ORDER BY 1
        """)
      #expect(
        try rows.map { try $0.text(0) } == [
          "access_token", "change_log", "grant_family", "once", "revoked_token", "session",
        ])
      for row in rows {
        #expect(try row.bool(1))
        #expect(try !row.bool(2))
      }
    }
  }

  @Test("no row of any table holds a secret, as it is, in hexadecimal or in base64")
  func noSecrets() async throws {
    try await withInstance { instance in
      let secrets = (0..<4).map { number in (0..<32).map { UInt8(truncatingIfNeeded: $0 * 7 + number * 31 + 129) } }
      let digests = secrets.map { SHA256.digest($0) }
      var grant = Grant()
      grant.family.refreshHash = digests[0]
      var issuance = grant.redemption()
      issuance.accessToken?.secretHash = digests[1]
      _ = try await instance.tokens.issue(issuance)
      _ = try await instance.clients.create(
        Client(
          id: ClientID("c"), name: "C", authentication: .clientSecretBasic, secrets: [.sha256(digests[2])], grants: []),
        at: Grant.now)
      try await PostgresSessionStore(pools: instance.pools, logger: silent).begin(
        BrowserSession(
          locator: Grant.locator(), secretHash: digests[3], subject: nil, authenticatedAt: nil,
          expiresAt: Grant.now + .seconds(60)), replacing: nil)

      let tables = try await instance.sql(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
      var dump = ""
      for table in tables {
        for row in try await instance.sql("SELECT t::text FROM \(try table.text(0)) AS t") { dump += try row.text(0) }
      }
      // The dump shows what it should, or the rest would prove nothing.
      for digest in digests { #expect(dump.contains(hexadecimal(digest.bytes))) }
      for secret in secrets {
        #expect(!dump.contains(hexadecimal(secret)))
        for shift in 0..<3 { #expect(!dump.contains(Base64URL.encode(Array(secret[shift...].prefix(27))))) }
      }
    }
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
