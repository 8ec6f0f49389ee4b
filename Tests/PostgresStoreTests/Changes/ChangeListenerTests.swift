import EventLoop
import OAuthCore
import PostgresClient
import Testing

@testable import PostgresStore

@Suite("Change listener")
struct ChangeListenerTests {
  private func withListener(
    _ body: @escaping @Sendable (Instance, ChangeListener, RecordingObserver) async throws -> Void
  ) async throws {
    try await withInstance { instance in
      let observer = RecordingObserver()
      let listener = ChangeListener(
        loop: instance.loops[0], pool: instance.firstPool, configuration: instance.configuration, observers: [observer],
        logger: silent)
      listener.start()
      #expect(await eventually(instance.loops[0]) { observer.forgotten == 1 })
      let result: Result<Void, any Error>
      do { result = .success(try await body(instance, listener, observer)) } catch { result = .failure(error) }
      listener.stop()
      try result.get()
    }
  }

  @Test("what one instance revokes, another hears of")
  func revocation() async throws {
    try await withListener { instance, _, observer in
      let grant = Grant()
      let token = Grant.token()
      _ = try await instance.tokens.issue(grant.redemption())
      try await withInstance(on: instance.configuration.connectionString) { other in
        try await other.tokens.revokeFamily(grant.family.locator, reason: .clientRequest, at: Grant.now)
        try await other.tokens.revokeAccessToken(token.locator, expiresAt: token.expiresAt, at: Grant.now)
        // Ending twice is told once.
        try await other.tokens.revokeFamily(grant.family.locator, reason: .clientRequest, at: Grant.now)
      }
      let expected: [Change] = [.familyRevoked(grant.family.locator), .accessTokenRevoked(token.locator)]
      #expect(await eventually(instance.loops[0]) { observer.changes.count >= 2 })
      #expect(observer.changes == expected)
    }
  }

  @Test("where no notification passes, the log is polled")
  func polling() async throws {
    try await withListener { instance, listener, observer in
      _ = try await instance.sql("ALTER TABLE change_log DISABLE TRIGGER announce_change")
      let before = listener.lastConfirmed
      _ = try await instance.accounts.create(
        Account(subject: Subject("s"), username: "u", passwordHash: "$scrypt$"), at: Grant.now)
      #expect(await eventually(instance.loops[0]) { observer.changes == [.accountChanged(Subject("s"))] })
      #expect(listener.lastConfirmed > before)
    }
  }

  @Test("after a lost connection the tail is read, and nothing is missed or heard twice")
  func reconnect() async throws {
    try await withListener { instance, _, observer in
      let grants = (0..<3).map { _ in Grant() }
      for grant in grants { _ = try await instance.tokens.issue(grant.redemption()) }
      try await withInstance(on: instance.configuration.connectionString) { other in
        for grant in grants {
          try await other.tokens.revokeFamily(grant.family.locator, reason: .administrator, at: Grant.now)
          _ = try await other.sql(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%LISTEN%'
            """)
        }
      }
      let expected = grants.map { Change.familyRevoked($0.family.locator) }
      #expect(await eventually(instance.loops[0]) { observer.changes.count >= 3 })
      #expect(observer.changes == expected)
      #expect(observer.forgotten == 1)
    }
  }

  @Test("what is known is dated, and an old date is not current")
  func confirmation() async throws {
    try await withListener { instance, listener, _ in
      #expect(await eventually(instance.loops[0]) { listener.lastConfirmed != .min })
      let confirmed = listener.lastConfirmed
      #expect(listener.isCurrent(within: .seconds(2), at: confirmed + Duration.seconds(1).nanoseconds))
      let later = listener.lastConfirmed + Duration.seconds(600).nanoseconds
      #expect(!listener.isCurrent(within: .seconds(2), at: later))
    }
    try await withInstance { instance in
      let listener = ChangeListener(
        loop: instance.loops[0], pool: instance.firstPool, configuration: instance.configuration, observers: [],
        logger: silent)
      #expect(!listener.isCurrent(within: .seconds(2), at: instance.loops[0].now))
    }
  }
}
