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

  @Test("Strangers cannot lock a person out of a network she has signed in from, nor does it help them guess there")
  func ownNetwork() async throws {
    let server = try await server()
    #expect(try await attempt(server, "alice", "open sesame", from: "198.51.100.7") == "verified alice")
    for address in 0..<20 {
      #expect(try await attempt(server, "alice", "wrong", from: "192.0.2.\(address)") == "refused")
    }
    #expect(try await attempt(server, "alice", "open sesame", from: "198.51.100.8") == "limited 15")
    #expect(try await attempt(server, "alice", "open sesame", from: "198.51.100.7") == "verified alice")
    for _ in 0..<10 { #expect(try await attempt(server, "alice", "wrong", from: "198.51.100.7") == "refused") }
    #expect(try await attempt(server, "alice", "open sesame", from: "198.51.100.7") == "limited 20")
  }

  @Test("Of many wrong passwords at once, no more cost a scrypt than the burst allows")
  func parallel() async throws {
    let (server, work) = (try await server(), CountingWork())
    let verifier = verifier(server, work)
    let refused = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<200 {
        group.addTask {
          let outcome = try await verifier.verify(
            username: "alice", password: Secret("wrong"), remoteAddress: "192.0.2.1")
          if case .refused = outcome { return true } else { return false }
        }
      }
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(work.count == 10 && refused == 10)
  }

  @Test("A right password, and one that nobody could check, take nothing off the burst")
  func givenBack() async throws {
    let (server, work) = (try await server(), CountingWork())
    let verifier = verifier(server, work)
    for failure in [StoreFailure.overloaded, nil] {
      work.failure = failure
      for _ in 0..<30 {
        let outcome = try? await verifier.verify(
          username: "alice", password: Secret("open sesame"), remoteAddress: "192.0.2.1")
        if case .limited = outcome { Issue.record("limited after \(String(describing: failure))") }
      }
    }
    #expect(work.count == 30)
  }

  private func verifier(_ server: ServerUnderTest, _ work: CountingWork) -> PasswordVerifier {
    PasswordVerifier(
      accounts: server.accounts, secrets: SecretVerification(work: work, random: SeededRandom(), dummy: Self.hash),
      limiter: server.limiter, audit: server.audit, clock: server.clock)
  }
}
