import Cryptography
import OAuthCore
import PosternTesting
import Testing

@Suite struct PasswordVerifierTests {
  private static let hash = Scrypt.hash(password: Secret("open sesame"), logN: 4)

  private func server() async throws -> ServerUnderTest {
    try await Fixture.server(accounts: [
      Account(subject: Fixture.alice, username: "alice", passwordHash: Self.hash),
      Account(subject: Subject("bob"), username: "bob", passwordHash: Self.hash, isDisabled: true),
    ])
  }

  private func attempt(
    _ server: ServerUnderTest, _ username: String, _ password: String, from address: String = "192.0.2.1"
  ) async throws -> String {
    switch try await server.passwords.verify(username: username, password: Secret(password), remoteAddress: address) {
    case .verified(let account): "verified \(account.subject)"
    case .refused: "refused"
    case .limited(let seconds): "limited \(seconds)"
    }
  }

  @Test(
    "An unknown name, a disabled account, a wrong, an empty and an endless password are refused alike",
    arguments: [
      ("nobody", "open sesame"), ("bob", "open sesame"), ("alice", "wrong"), ("alice", ""), ("", ""),
      ("Alice", "open sesame"),
      ("alice", String(repeating: "x", count: 100_000)), (String(repeating: "x", count: 100_000), "x"),
    ])
  func refused(_ username: String, _ password: String) async throws {
    #expect(try await attempt(try await server(), username, password) == "refused")
  }

  @Test("An account that does not exist costs the same scrypt as one that does")
  func dummyWork() async throws {
    let work = CountingWork()
    let secrets = SecretVerification(work: work, random: SeededRandom())
    #expect(try await !secrets.matches(password: Secret("x"), hash: nil))
    #expect(work.count == 1)
    #expect(try await secrets.matches(password: Secret("open sesame"), hash: Self.hash))
    #expect(try await secrets.matches(password: Secret("open sesame"), hash: Self.hash))
    #expect(work.count == 3)
  }

  @Test("The right password signs in, and is audited without name or password")
  func verified() async throws {
    let server = try await server()
    #expect(try await attempt(server, "alice", "open sesame") == "verified alice")
    _ = try await attempt(server, "alice", "tapped by mistake")
    #expect(server.audit.events.map(\.kind) == [.signedIn, .signInRefused])
    #expect(!"\(server.audit.events)".contains("tapped by mistake"))
  }

  @Test("Failures are limited per source, the right password gets the same answer, and waiting helps")
  func limited() async throws {
    let server = try await server()
    for _ in 0..<10 { #expect(try await attempt(server, "alice", "wrong") == "refused") }
    #expect(try await attempt(server, "alice", "wrong") == "limited 20")
    #expect(try await attempt(server, "alice", "open sesame") == "limited 20")
    #expect(try await attempt(server, "alice", "open sesame", from: "198.51.100.7") == "verified alice")
    server.clock.advance(by: .seconds(20))
    #expect(try await attempt(server, "alice", "open sesame") == "verified alice")
  }

  @Test("Failures from many sources are limited per account")
  func limitedPerAccount() async throws {
    let server = try await server()
    for address in 0..<20 {
      #expect(try await attempt(server, "alice", "wrong", from: "192.0.2.\(address)") == "refused")
    }
    #expect(try await attempt(server, "alice", "open sesame", from: "198.51.100.7") == "limited 15")
    #expect(try await attempt(server, "carol", "wrong", from: "198.51.100.7") == "refused")
  }
}
