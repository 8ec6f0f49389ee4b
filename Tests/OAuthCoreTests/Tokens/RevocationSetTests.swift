import Cryptography
import OAuthCore
import PosternTesting
import Testing

@testable import OAuthCore

@Suite struct RevocationSetTests {
  private let clock = ManualClock()

  private func locator(_ word: UInt64 = 1) -> Locator { Locator(createdAt: clock.now, randomness: (word, word)) }

  @Test("What was revoked, by itself or through its family, is revoked; the rest is clear")
  func revoked() {
    let set = RevocationSet(clock: clock)
    let (token, family, other) = (locator(1), locator(2), locator(3))
    #expect(set.answer(token: token, family: family) == .clear)
    set.apply([.accessTokenRevoked(token)])
    #expect(set.answer(token: token, family: nil) == .revoked)
    set.apply([.familyRevoked(family)])
    #expect(set.answer(token: other, family: family) == .revoked)
    #expect(set.answer(token: other, family: nil) == .clear)
  }

  @Test("A token from before the set began to listen must be asked about")
  func olderToken() {
    let token = locator()
    clock.advance(by: .seconds(1))
    let set = RevocationSet(clock: clock)
    #expect(set.answer(token: token, family: nil) == .unknown)
    #expect(set.mayHaveChanged(ClientID("web"), since: token.createdAt))
  }

  @Test("After a gap in the feed every token of before must be asked about")
  func gap() {
    let set = RevocationSet(clock: clock)
    let token = locator()
    #expect(set.answer(token: token, family: nil) == .clear)
    clock.advance(by: .seconds(1))
    set.forgetEverything()
    #expect(set.answer(token: token, family: nil) == .unknown)
    #expect(set.answer(token: locator(), family: nil) == .clear)
  }

  @Test("More revocations than fit make it forget, and ask, rather than say a stale yes")
  func overflow() {
    let set = RevocationSet(clock: clock, countMax: 8)
    let tokens = (0..<20).map { locator(UInt64($0)) }
    for token in tokens {
      clock.advance(by: .seconds(1))
      set.apply([.accessTokenRevoked(token)])
    }
    #expect(tokens.allSatisfy { set.answer(token: $0, family: nil) != .clear })
  }

  @Test("A changed client is looked up again for a day, the life of its longest token")
  func changedClient() {
    let set = RevocationSet(clock: clock)
    #expect(!set.mayHaveChanged(ClientID("web"), since: clock.now))
    set.apply([.clientChanged(ClientID("web"))])
    #expect(set.mayHaveChanged(ClientID("web"), since: clock.now))
    #expect(!set.mayHaveChanged(ClientID("other"), since: clock.now))
  }

  @Test("Old tokens are asked about in the store, and revoked ones refused")
  func asksStore() async throws {
    var web = Fixture.web
    web.accessTokenFormat = .jwt
    let server = try await Fixture.server(clients: [web])
    let response = await server.redeem(try await server.code(for: web))
    let token = Array(try #require(response.accessToken).utf8)
    server.clock.advance(by: .seconds(1))
    server.revocations.forgetEverything()
    #expect(try await server.verifier.verify(token) != nil)
    let family = try #require(server.audit.events.last?.artefact)
    try await server.store.revokeFamily(family, reason: .administrator, at: server.clock.now)
    server.clock.advance(by: .seconds(1))
    server.revocations.forgetEverything()
    #expect(try await server.verifier.verify(token) == nil)
    server.store.failure = .unavailable
    await #expect(throws: StoreFailure.unavailable) { try await server.verifier.verify(token) }
  }
}
