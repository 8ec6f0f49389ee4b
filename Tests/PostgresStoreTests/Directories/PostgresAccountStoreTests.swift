import OAuthCore
import PostgresStore
import Testing

@Suite("Accounts in PostgreSQL")
struct PostgresAccountStoreTests {
  private let alice = Account(subject: Subject("018f-alice"), username: "alice", passwordHash: "$scrypt$one")
  private let bob = Account(subject: Subject("018f-bob"), username: "bob", passwordHash: "$scrypt$two")

  private func grant(to subject: Subject) -> Grant {
    var grant = Grant()
    grant.authorization.subject = subject
    return grant
  }

  @Test("an account is found by its username and by its subject")
  func find() async throws {
    try await withInstance { instance in
      let created = try await instance.accounts.create(alice, at: Grant.now)
      #expect(created)
      for found in [
        try await instance.accounts.account(username: "alice"), try await instance.accounts.account(subject: alice.subject),
      ] {
        #expect(found?.subject == alice.subject && found?.username == "alice" && found?.passwordHash == "$scrypt$one")
        #expect(found?.isDisabled == false && found?.isConfigured == false)
      }
      for name in ["Alice", "bob", "nul\0", String(repeating: "a", count: 300)] {
        #expect(try await instance.accounts.account(username: name) == nil)
        #expect(try await instance.accounts.account(subject: Subject(name)) == nil)
      }
    }
  }

  @Test("a username or subject that is taken is refused")
  func taken() async throws {
    try await withInstance { instance in
      _ = try await instance.accounts.create(alice, at: Grant.now)
      let sameName = Account(subject: Subject("other"), username: "alice", passwordHash: "$scrypt$two")
      let sameSubject = Account(subject: alice.subject, username: "bob", passwordHash: "$scrypt$two")
      for account in [sameName, sameSubject] {
        let created = try await instance.accounts.create(account, at: Grant.now)
        #expect(!created)
      }
      #expect(try await instance.accounts.accounts().map(\.passwordHash) == ["$scrypt$one"])
    }
  }

  @Test("each change of an account is announced under its subject")
  func changes() async throws {
    try await withInstance { instance in
      _ = try await instance.accounts.create(alice, at: Grant.now)
      #expect(try await instance.accounts.setPassword(of: "alice", to: "$scrypt$two"))
      #expect(try await instance.accounts.enable("alice"))
      #expect(try await !instance.accounts.setPassword(of: "bob", to: "$scrypt$three"))
      #expect(try await !instance.accounts.enable("bob"))
      let found = try await instance.accounts.account(username: "alice")
      #expect(found?.passwordHash == "$scrypt$two" && found?.isDisabled == false)
      let log = try await instance.sql("SELECT kind || ' ' || key FROM change_log")
      #expect(try log.map { try $0.text(0) } == Array(repeating: "account_changed 018f-alice", count: 3))
    }
  }

  @Test("OWASP ASVS 4.0.3 §3.3.3: a new password ends the sessions of the account, not its families and nobody else's")
  func newPassword() async throws {
    try await withInstance { instance in
      for account in [alice, bob] { _ = try await instance.accounts.create(account, at: Grant.now) }
      let sessions = PostgresSessionStore(pools: instance.pools, logger: silent)
      let (hers, his) = (grant(to: alice.subject), grant(to: bob.subject))
      #expect(try await instance.tokens.issue(hers.redemption()) == .issued)
      for grant in [hers, his] { try await sessions.begin(grant.session, replacing: nil) }

      #expect(try await instance.accounts.setPassword(of: "alice", to: "$scrypt$three"))
      #expect(try await sessions.session(hers.session.locator, at: Grant.now) == nil)
      #expect(try await instance.tokens.family(hers.family.locator)?.isRevoked == false)
      #expect(try await sessions.session(his.session.locator, at: Grant.now) != nil)
    }
  }

  @Test("disabling an account ends its sessions and its families, announces each, and lets nothing begin")
  func disabling() async throws {
    try await withInstance { instance in
      for account in [alice, bob] { _ = try await instance.accounts.create(account, at: Grant.now) }
      let sessions = PostgresSessionStore(pools: instance.pools, logger: silent)
      let (hers, his) = (grant(to: alice.subject), grant(to: bob.subject))
      for grant in [hers, his] {
        #expect(try await instance.tokens.issue(grant.redemption()) == .issued)
        try await sessions.begin(grant.session, replacing: nil)
      }

      #expect(try await instance.accounts.disable("alice", at: Grant.now))
      #expect(try await !instance.accounts.disable("carol", at: Grant.now))
      #expect(try await instance.accounts.account(username: "alice")?.isDisabled == true)
      #expect(try await sessions.session(hers.session.locator, at: Grant.now) == nil)
      #expect(try await instance.tokens.family(hers.family.locator)?.isRevoked == true)
      let log = try await instance.sql("SELECT kind || ' ' || key FROM change_log")
      #expect(try log.map { try $0.text(0) }.contains("family_revoked \(hers.family.locator)"))
      #expect(try log.map { try $0.text(0) }.contains("account_changed 018f-alice"))
      // A code that was minted before.
      let late = grant(to: alice.subject)
      #expect(try await instance.tokens.issue(late.redemption()) == .notPermitted)

      #expect(try await sessions.session(his.session.locator, at: Grant.now) != nil)
      #expect(try await instance.tokens.family(his.family.locator)?.isRevoked == false)

      #expect(try await instance.accounts.enable("alice"))
      #expect(try await instance.tokens.family(hers.family.locator)?.isRevoked == true)
      #expect(try await instance.tokens.issue(late.redemption()) == .issued)
    }
  }

  @Test("an account of the configuration is signed out, or ended with all it granted; its neighbours are not touched")
  func configured() async throws {
    try await withInstance { instance in
      let sessions = PostgresSessionStore(pools: instance.pools, logger: silent)
      let (hers, his) = (grant(to: Subject("user:alice")), grant(to: Subject("user:bob")))
      for grant in [hers, his] {
        #expect(try await instance.tokens.issue(grant.redemption()) == .issued)
        try await sessions.begin(grant.session, replacing: nil)
      }

      try await instance.accounts.signOut(Subject("user:alice"))
      #expect(try await sessions.session(hers.session.locator, at: Grant.now) == nil)
      #expect(try await instance.tokens.family(hers.family.locator)?.isRevoked == false)

      try await instance.accounts.end(Subject("user:alice"), at: Grant.now)
      #expect(try await instance.tokens.family(hers.family.locator)?.isRevoked == true)
      let log = try await instance.sql("SELECT kind || ' ' || key FROM change_log ORDER BY 1")
      #expect(
        try log.map { try $0.text(0) }
          == ["account_changed user:alice", "account_changed user:alice", "family_revoked \(hers.family.locator)"])

      try await instance.accounts.end(Subject("nul\0"), at: Grant.now)
      #expect(try await sessions.session(his.session.locator, at: Grant.now) != nil)
      #expect(try await instance.tokens.family(his.family.locator)?.isRevoked == false)
    }
  }

  @Test("whichever of a redemption and a disabling comes first, nothing is alive afterwards")
  func disablingRace() async throws {
    try await withTwoInstances { first, second in
      for number in 0..<20 {
        let account = Account(subject: Subject("race-\(number)"), username: "race-\(number)", passwordHash: "$scrypt$one")
        _ = try await first.accounts.create(account, at: Grant.now)
        let grant = grant(to: account.subject)
        let issuance = grant.redemption()
        async let redeemed = second.onLoop { try await second.tokens.issue(issuance) }
        async let disabled = first.accounts.disable(account.username, at: Grant.now)
        _ = try await (redeemed, disabled)
        #expect(try await first.tokens.family(grant.family.locator)?.isRevoked != false)
      }
    }
  }

  @Test("the configuration's accounts stand before the database's")
  func layers() async throws {
    try await withInstance { instance in
      _ = try await instance.accounts.create(alice, at: Grant.now)
      let configured = Account(
        subject: Subject("configured"), username: "alice", passwordHash: "$scrypt$c", isConfigured: true)
      let directory = LayeredAccountDirectory(configured: [configured], database: instance.accounts)
      #expect(try await directory.account(username: "alice")?.isConfigured == true)
      #expect(try await directory.account(subject: Subject("configured"))?.username == "alice")
      #expect(try await directory.account(subject: alice.subject)?.passwordHash == "$scrypt$one")
    }
  }
}
