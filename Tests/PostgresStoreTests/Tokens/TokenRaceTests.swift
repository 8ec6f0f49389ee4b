import OAuthCore
import PostgresClient
import Testing

@testable import PostgresStore

/// What only shows between instances, or in the rows themselves.
@Suite("Tokens in PostgreSQL")
struct TokenRaceTests {
  @Test("over two instances, 100 parallel redemptions of one code yield one token")
  func redemptionOverTwoInstances() async throws {
    try await withTwoInstances { first, second in
      let grant = Grant()
      let outcomes = try await inParallel(100, first, second) { instance, _ in
        try await instance.tokens.issue(grant.redemption())
      }
      #expect(outcomes.count { $0 == .issued } == 1)
      #expect(try await first.count("access_token") == 1)
      #expect(try await first.count("once") == 1)
      // The issued token was ended by those who came late: once, whatever their number.
      #expect(try await first.count("change_log") == 1)
      #expect(try await first.tokens.family(grant.family.locator)?.isRevoked == true)
    }
  }

  @Test("over two instances, 50 parallel refreshes with one token yield one successor")
  func refreshOverTwoInstances() async throws {
    try await withTwoInstances { first, second in
      let grant = Grant()
      _ = try await first.tokens.issue(grant.redemption())
      let uses = (0..<50).map { _ in grant.use() }
      let outcomes = try await inParallel(50, first, second) { instance, number in
        try await instance.tokens.refresh(uses[number])
      }
      for outcome in outcomes {
        guard case .refreshed = outcome else {
          Issue.record("a refresh was refused: \(outcome)")
          continue
        }
      }
      #expect(try await first.tokens.family(grant.family.locator)?.refreshHash == grant.successorHash)
      #expect(try await first.count("access_token") == 51)
      #expect(try await first.count("change_log") == 0)
    }
  }

  @Test("a replay that races a refresh leaves no live token behind")
  func replayRacesRefresh() async throws {
    try await withTwoInstances { first, second in
      for _ in 0..<20 {
        let grant = Grant()
        _ = try await first.tokens.issue(grant.redemption())
        let use = grant.use()
        async let replay = first.tokens.issue(grant.redemption())
        async let refreshed = second.onLoop { try await second.tokens.refresh(use) }
        let (outcome, _) = try await (replay, refreshed)
        #expect(outcome == .alreadyUsed)
        #expect(try await first.tokens.accessToken(use.accessToken!.locator, at: use.now) == nil)
      }
    }
  }

  @Test("an artefact past its expiry is never won, since its first use may have been forgotten")
  func expiredArtefact() async throws {
    try await withInstance { instance in
      let grant = Grant()
      let outcome = try await instance.tokens.issue(grant.redemption(at: grant.code.expiresAt))
      #expect(outcome == .alreadyUsed)
      for table in ["once", "grant_family", "access_token"] { #expect(try await instance.count(table) == 0) }
    }
  }

  @Test("a retry that would make another successor, as after a key rotation, is refused and ends nothing")
  func otherSuccessor() async throws {
    try await withInstance { instance in
      let grant = Grant()
      _ = try await instance.tokens.issue(grant.redemption())
      _ = try await instance.tokens.refresh(grant.use())
      var retry = grant.use()
      retry.successorHash = Grant.digest()
      let outcome = try await instance.tokens.refresh(retry)
      guard case .refused(.invalid) = outcome else {
        Issue.record("a second successor: \(outcome)")
        return
      }
      let family = try await instance.tokens.family(grant.family.locator)
      #expect(family?.refreshHash == grant.successorHash && family?.isRevoked == false)
    }
  }

  @Test("a refused refresh does not write the row, not even the same values again")
  func refusedRefreshWritesNothing() async throws {
    try await withInstance { instance in
      let grant = Grant()
      _ = try await instance.tokens.issue(grant.redemption())
      let row = "SELECT ctid::text || ' ' || xmin::text || ' ' || xmax::text || ' ' || f::text FROM grant_family AS f"
      let before = try await instance.sql(row)[0].text(0)
      var thief = grant.use()
      thief.client = ClientID("thief")
      var wider = grant.use()
      wider.scope = ["read", "admin"]
      var elsewhere = grant.use()
      elsewhere.audience = ["https://other.example"]
      var late = grant.use()
      late.now = grant.family.expiresAt
      for use in [thief, wider, elsewhere, late] {
        guard case .refused = try await instance.tokens.refresh(use) else {
          Issue.record("a bad refresh was answered")
          continue
        }
      }
      #expect(try await instance.sql(row)[0].text(0) == before)
      #expect(try await instance.count("access_token") == 1)
      #expect(try await instance.count("change_log") == 0)
    }
  }

  @Test("a refresh changes no indexed column, so that it is a heap-only update")
  func refreshIsHeapOnly() async throws {
    try await withInstance { instance in
      let rows = try await instance.sql(
        """
        SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
        WHERE indrelid = 'grant_family'::regclass
        """)
      let indexed = Set(try rows.map { try $0.text(0) })
      #expect(indexed.contains("locator"))
      #expect(indexed.isDisjoint(with: [
        "refresh_hash", "previous_hash", "rotated_at", "idle_expires_at", "revoked_at", "revocation_reason",
      ]))
    }
  }

  @Test("tokens that consume nothing share commits")
  func sharedCommits() async throws {
    try await withInstance { instance in
      let store = instance.tokens
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<200 {
          let issuance = Grant().clientCredentials()
          group.addTask {
            let outcome = try await store.issue(issuance)
            #expect(outcome == .issued)
          }
        }
        try await group.waitForAll()
      }
      let rows = try await instance.sql("SELECT count(*), count(DISTINCT xmin::text) FROM access_token")
      #expect(try rows[0].int64(0) == 200)
      #expect(try rows[0].int64(1) < 50)
    }
  }

  @Test("a JWT that consumes nothing costs no statement")
  func jwtWithoutStatement() async throws {
    try await withInstance { instance in
      var issuance = Grant().clientCredentials()
      issuance.accessToken = nil
      await instance.firstPool.close()
      let outcome = try await instance.tokens.issue(issuance)
      #expect(outcome == .issued)
    }
  }

  @Test("a closed, lost or slow database is a failure to try again after, and a full queue is overload")
  func failures() async throws {
    try await withInstance { instance in
      await instance.firstPool.close()
      await #expect(throws: StoreFailure.unavailable) { try await instance.tokens.issue(Grant().redemption()) }
      await #expect(throws: StoreFailure.unavailable) { try await instance.tokens.issue(Grant().clientCredentials()) }
      await #expect(throws: StoreFailure.unavailable) { try await instance.tokens.family(Grant().family.locator) }
    }
    let deadlock = PostgresError.server(sqlState: "40P01", detail: PostgresServerDetail())
    for error in [PostgresError.unavailable, .timeout, .closed, deadlock] {
      #expect(StoreFailure(error, logger: silent) == .unavailable)
    }
    #expect(StoreFailure(PostgresError.overloaded, logger: silent) == .overloaded)
  }
}
