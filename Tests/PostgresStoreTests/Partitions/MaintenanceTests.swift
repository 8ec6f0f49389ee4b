import OAuthCore
import PostgresClient
import Testing

@testable import PostgresStore

@Suite("Maintenance")
struct MaintenanceTests {
  private static let retention = Retention(
    accessTokenLifetimeMax: .hours(1), familyLifetimeMax: .days(90), sessionLifetimeMax: .days(14))

  @Test("without any dated partition, nothing fails: rows stray into the default ones")
  func noPartitions() async throws {
    try await withInstance { instance in
      let outcome = try await instance.tokens.issue(Grant().redemption())
      #expect(outcome == .issued)
      #expect(try await instance.count("access_token_default") == 1)
    }
  }

  @Test("what strayed is moved to its partition, and stays findable all the while")
  func strays() async throws {
    try await withInstance { instance in
      let far = Grant.now + .days(400)
      let (now, later) = (Grant(), Grant(at: far))
      let issuances = [now.redemption(), later.redemption(at: far)]
      for issuance in issuances {
        let outcome = try await instance.tokens.issue(issuance)
        #expect(outcome == .issued)
      }
      let maintenance = instance.maintenance(Self.retention)
      let report = await maintenance.run(at: Grant.now)
      #expect(report.created > 20 && report.dropped == 0 && report.postponed == 0)
      #expect(try await instance.count("access_token_default") == 1)
      #expect(try await instance.count("grant_family_default") == 1)
      #expect(try await instance.count("once_default") == 1)
      for issuance in issuances {
        #expect(try await instance.tokens.accessToken(issuance.accessToken!.locator, at: issuance.now) != nil)
        #expect(try await instance.tokens.issue(issuance) == .alreadyUsed)
      }
      // When its time has come, the far one moves, too, and what is long past is dropped.
      let second = await maintenance.run(at: far)
      #expect(second.created > 20 && second.dropped > 20)
      #expect(try await instance.count("access_token_default") == 0)
      #expect(try await instance.tokens.accessToken(issuances[0].accessToken!.locator, at: Grant.now) == nil)
      #expect(try await instance.tokens.family(later.family.locator)?.isRevoked == true)
      #expect(try await instance.tokens.family(now.family.locator) == nil)
    }
  }

  @Test(
    "a row on its way to the default partition arrives, when its own partition is made meanwhile",
    arguments: [true, false])
  func overtaken(consuming: Bool) async throws {
    try await withInstance { instance in
      let issuance = consuming ? Grant().redemption() : Grant().clientCredentials()
      let start = Grant.now.seconds - Grant.now.seconds % 3600
      let outcome = try await instance.firstPool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(
          PreparedStatement("SELECT create_partition('access_token', 'locator', $1, $2, 100)"),
          [.int64(start), .int64(start + 3600)])
        let waiting = instance.loops[0].task { () async -> IssuanceOutcome? in
          try? await instance.tokens.issue(issuance)
        }
        // Asked on the one connection that is not behind the lock.
        let waits = PreparedStatement(
          "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'access_token_default'::regclass)")
        while try await !connection.query(waits)[0].bool(0) { await Task.yield() }
        return waiting
      }.value
      #expect(outcome == .issued)
      let stored = try await instance.tokens.accessToken(issuance.accessToken!.locator, at: Grant.now)
      #expect(stored != nil)
      #expect(try await instance.count("access_token_default") == 0)
    }
  }

  @Test("with partitions in place a row goes to the one of its time, and a look-up reads only that")
  func pruning() async throws {
    try await withInstance { instance in
      _ = await instance.maintenance(Self.retention).run(at: Grant.now)
      let grant = Grant()
      let issuance = grant.redemption()
      _ = try await instance.tokens.issue(issuance)
      for table in ["access_token", "grant_family", "once"] {
        #expect(try await instance.count("\(table)_default") == 0)
        #expect(try await instance.count(table) == 1)
      }
      let plan = try await instance.sql(
        "EXPLAIN SELECT FROM access_token WHERE locator = '\(issuance.accessToken!.locator)'")
      let scans = try plan.map { try $0.text(0) }.filter { $0.contains(" on access_token") }
      #expect(scans.count == 1)
    }
  }

  @Test("an access token lives until its end, then its partition goes, and not a row is deleted")
  func expiry() async throws {
    try await withInstance { instance in
      let maintenance = instance.maintenance(Self.retention)
      _ = await maintenance.run(at: Grant.now)
      let issuance = Grant().clientCredentials()
      _ = try await instance.tokens.issue(issuance)
      _ = await maintenance.run(at: Grant.now + .hours(1))
      #expect(try await instance.tokens.accessToken(issuance.accessToken!.locator, at: Grant.now) != nil)
      // A partition spans 6 hours, a token lives for 1, clocks may differ by 1.
      let report = await maintenance.run(at: Grant.now + .hours(9))
      #expect(report.dropped >= 2)
      #expect(try await instance.count("access_token") == 0)
    }
  }

  @Test("a client's own longer lifetime keeps the partitions of its tokens")
  func clientLifetime() async throws {
    try await withInstance { instance in
      let maintenance = instance.maintenance(Self.retention)
      _ = await maintenance.run(at: Grant.now)
      let client = Client(
        id: ClientID("slow"), name: "Slow", authentication: .none, grants: [.clientCredentials],
        accessTokenLifetime: .days(3))
      _ = try await instance.clients.create(client, at: Grant.now)
      _ = try await instance.tokens.issue(Grant().clientCredentials())
      _ = await maintenance.run(at: Grant.now + .days(2))
      #expect(try await instance.count("access_token") == 1)
    }
  }

  @Test("a default partition in which everything is past use is emptied")
  func staleDefault() async throws {
    try await withInstance { instance in
      _ = await instance.maintenance(Self.retention).run(at: Grant.now)
      let past = Grant.now - .days(30)
      _ = try await instance.tokens.issue(Grant().clientCredentials(at: past))
      #expect(try await instance.count("access_token_default") == 1)
      _ = await instance.maintenance(Self.retention).run(at: Grant.now)
      #expect(try await instance.count("access_token_default") == 0)
    }
  }

  @Test("while one instance maintains, another leaves it alone and comes again later")
  func busy() async throws {
    try await withTwoInstances { first, second in
      let report = try await first.firstPool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(AdvisoryLock.take, [.int64(AdvisoryLock.partitions)])
        return await second.loops[0].task { await second.maintenance(Self.retention).run(at: Grant.now) }.value
      }
      #expect(report == Maintenance.Report(postponed: PartitionedTable.all(Self.retention).count))
    }
  }

  @Test("instances that start together make each partition once, while tokens are being issued")
  func together() async throws {
    try await withTwoInstances { first, second in
      let outcomes = try await inParallel(100, first, second) { instance, number in
        if number < 4 {
          _ = await instance.maintenance(Self.retention).run(at: Grant.now)
          return IssuanceOutcome.issued
        }
        return try await instance.tokens.issue(
          number.isMultiple(of: 2) ? Grant().redemption() : Grant().clientCredentials())
      }
      #expect(outcomes.allSatisfy { $0 == .issued })
      #expect(try await first.count("access_token") == 96)
      let settled = await first.maintenance(Self.retention).run(at: Grant.now)
      #expect(settled.postponed == 0)
      let again = try await second.onLoop { await second.maintenance(Self.retention).run(at: Grant.now) }
      #expect(again == Maintenance.Report())
      #expect(try await first.count("access_token_default") == 0)
    }
  }
}
