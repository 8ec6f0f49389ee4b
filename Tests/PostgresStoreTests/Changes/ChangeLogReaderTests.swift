import Cryptography
import OAuthCore
import PostgresClient
import Testing

@testable import PostgresStore

@Suite("Change log reader")
struct ChangeLogReaderTests {
  private static let append = PreparedStatement("INSERT INTO change_log (kind, key) VALUES ('client_changed', $1)")

  @Test("a row that commits after its successors is not skipped")
  func lateCommitter() async throws {
    try await withInstance { instance in
      let pool = instance.firstPool
      let reader = ChangeLogReader(pool: pool)
      let start = try await reader.position()
      // The first row gets its number, and the second overtakes it.
      let middle = try await pool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(Self.append, [.text("slow")])
        _ = try await pool.query(Self.append, [.text("fast")])
        let (tail, middle) = try await reader.tail(after: start)
        #expect(tail == .changes([.clientChanged(ClientID("fast"))]))
        return middle
      }
      let (tail, end) = try await reader.tail(after: middle)
      #expect(tail == .changes([.clientChanged(ClientID("slow"))]))
      let (rest, _) = try await reader.tail(after: end)
      #expect(rest == .changes([]))
    }
  }

  @Test("what was rolled back is never told")
  func rolledBack() async throws {
    try await withInstance { instance in
      let reader = ChangeLogReader(pool: instance.firstPool)
      let start = try await reader.position()
      _ = try? await instance.firstPool.transaction { connection throws(PostgresError) in
        _ = try await connection.query(Self.append, [.text("undone")])
        throw PostgresError.closed
      }
      let (tail, _) = try await reader.tail(after: start)
      #expect(tail == .changes([]))
    }
  }

  @Test("the tail comes in the order of the log, whole, and once")
  func order() async throws {
    try await withInstance { instance in
      let reader = ChangeLogReader(pool: instance.firstPool)
      var position = try await reader.position()
      var heard: [Change] = []
      for round in 0..<5 {
        for number in 0..<10 { _ = try await instance.firstPool.query(Self.append, [.text("\(round).\(number)")]) }
        let (tail, next) = try await reader.tail(after: position)
        guard case .changes(let changes) = tail else { throw PostgresError.closed }
        heard += changes
        position = next
      }
      let written = (0..<5).flatMap { round in (0..<10).map { Change.clientChanged(ClientID("\(round).\($0)")) } }
      #expect(heard == written)
    }
  }

  @Test("each kind of change is read as it was written")
  func kinds() async throws {
    let locator = Grant.locator()
    let rows: [(String, String, Change)] = [
      ("access_token_revoked", locator.description, .accessTokenRevoked(locator)),
      ("family_revoked", locator.description, .familyRevoked(locator)),
      ("session_ended", locator.description, .sessionEnded(locator)),
      ("client_changed", "c", .clientChanged(ClientID("c"))),
      ("account_changed", "s", .accountChanged(Subject("s"))),
      ("signing_keys_changed", "", .signingKeysChanged),
      ("credential_changed", "cloudvault", .credentialChanged(provider: "cloudvault")),
    ]
    for (kind, key, change) in rows { #expect(Change(kind: kind, key: key) == change) }
    #expect(Change(kind: "family_revoked", key: "not a locator") == nil)
  }

  @Test("a session that is ended or replaced is in the log; one that never was is not")
  func endedSessions() async throws {
    try await withInstance { instance in
      let sessions = PostgresSessionStore(pools: instance.pools, logger: silent)
      let reader = ChangeLogReader(pool: instance.firstPool)
      let position = try await reader.position()
      let now = Timestamp(seconds: 1_750_000_000)
      let (first, second) = (Grant.locator(), Grant.locator())
      for (locator, old) in [(first, Grant.locator()), (second, first)] {
        let session = BrowserSession(
          locator: locator, secretHash: SHA256.digest([1]), subject: Subject("s"), authenticatedAt: now,
          expiresAt: now + .seconds(3600))
        try await sessions.begin(session, replacing: old)
      }
      try await sessions.end(second)
      try await sessions.end(second)
      let (tail, _) = try await reader.tail(after: position)
      #expect(tail == .changes([.sessionEnded(first), .sessionEnded(second)]))
    }
  }

  @Test("a kind of a newer version, too long a tail, or another past: everything is to be forgotten")
  func unknown() async throws {
    try await withInstance { instance in
      let reader = ChangeLogReader(pool: instance.firstPool)
      var position = try await reader.position()
      _ = try await instance.sql("INSERT INTO change_log (kind, key) VALUES ('weather_changed', 'rain')")
      var tail: ChangeLogReader.Tail
      (tail, position) = try await reader.tail(after: position)
      #expect(tail == .unknown)

      _ = try await instance.sql(
        "INSERT INTO change_log (kind, key) SELECT 'client_changed', i::text FROM generate_series(0, $1) AS i",
        [.int64(Int64(ChangeLogReader.changeCountMax))])
      (tail, position) = try await reader.tail(after: position)
      #expect(tail == .unknown)
      (tail, _) = try await reader.tail(after: position)
      #expect(tail == .changes([]))

      (tail, _) = try await reader.tail(after: .init(snapshot: "900000000000:900000000000:"))
      #expect(tail == .unknown)
    }
  }
}
