import OAuthCore
import PostgresStore
import Testing

@Suite("Accounts in PostgreSQL")
struct PostgresAccountStoreTests {
  private let alice = Account(subject: Subject("018f-alice"), username: "alice", passwordHash: "$scrypt$one")

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
      #expect(try await instance.accounts.setDisabled(true, "alice"))
      #expect(try await !instance.accounts.setPassword(of: "bob", to: "$scrypt$three"))
      #expect(try await !instance.accounts.setDisabled(true, "bob"))
      let found = try await instance.accounts.account(username: "alice")
      #expect(found?.passwordHash == "$scrypt$two" && found?.isDisabled == true)
      let log = try await instance.sql("SELECT kind || ' ' || key FROM change_log")
      #expect(try log.map { try $0.text(0) } == Array(repeating: "account_changed 018f-alice", count: 3))
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
