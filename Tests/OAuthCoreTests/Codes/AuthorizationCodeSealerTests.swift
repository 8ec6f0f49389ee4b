import Cryptography
import PosternTesting
import Testing

@testable import OAuthCore

@Suite struct AuthorizationCodeSealerTests {
  private let random = SeededRandom()
  private let now = Timestamp(seconds: 1_750_000_000)

  private func ring(_ active: String, _ ids: String...) throws -> KeyRing {
    try KeyRing(active: active, keys: ids.map { ($0, Secret(bytes: SHA256.digest($0).bytes)) })
  }

  private func code(_ change: (inout AuthorizationCode) -> Void = { _ in }) -> AuthorizationCode {
    var code = AuthorizationCode(
      id: Locator(createdAt: now, randomness: random.words()),
      family: Locator(createdAt: now, randomness: random.words()),
      client: ClientID("web"), redirectURI: Fixture.callback, isRedirectURIRequired: true,
      challenge: ProofKey.Challenge(Fixture.challenge), scope: ["read", "write"], resources: [Fixture.resource],
      subject: Fixture.alice, authenticatedAt: now, nonce: "n", expiresAt: now + .seconds(60))
    change(&code)
    return code
  }

  @Test("A code opens to what was sealed, with and without its optional parts")
  func roundTrip() throws {
    let sealer = AuthorizationCodeSealer(ring: try ring("k1", "k1"))
    let codes = [
      code(), code { $0.challenge = nil }, code { $0.nonce = nil }, code { $0.resources = [] }, code { $0.scope = [] },
      code { $0.isRedirectURIRequired = false }, code { $0.subject = Subject("\u{e9}:\u{1f511}") },
    ]
    for code in codes {
      let text = sealer.seal(code)
      #expect(text.hasPrefix("pac_"))
      #expect(text.utf8.count < 512)
      #expect(sealer.open(text) == code)
    }
  }

  @Test("A code shows nothing of what it holds")
  func opaque() throws {
    let sealer = AuthorizationCodeSealer(ring: try ring("k1", "k1"))
    let sealed = try #require(Base64URL.decode(sealer.seal(code()).dropFirst(4).utf8))
    let text = String(decoding: sealed, as: UTF8.self)
    for part in ["alice", "web", "read", "example"] { #expect(!text.contains(part)) }
    #expect(sealer.seal(code()) != sealer.seal(code()))
  }

  @Test(
    "Another server's code, another sealed value and other text are no code",
    arguments: [
      "", "pac_", "pac_AAAA", "pac_!!!!", "prt_AAAA", "AAAA", "pac_" + String(repeating: "A", count: 100_000),
    ])
  func foreign(_ text: String) throws {
    let sealer = AuthorizationCodeSealer(ring: try ring("k1", "k1"))
    #expect(sealer.open(text) == nil)
    let foreign = AuthorizationCodeSealer(ring: try ring("k2", "k2")).seal(code())
    #expect(sealer.open(foreign) == nil)
    let other = try ring("k1", "k1").seal([1, 2, 3], purpose: "authorize-request", associatedData: [])
    #expect(sealer.open("pac_" + Base64URL.encode(other)) == nil)
  }

  @Test("A code that was sealed before the active key changed still opens")
  func rotation() throws {
    let code = code()
    let text = AuthorizationCodeSealer(ring: try ring("k1", "k1")).seal(code)
    #expect(AuthorizationCodeSealer(ring: try ring("k2", "k2", "k1")).open(text) == code)
  }

  @Test("A payload of another layout, cut short or too long, is refused and never traps", arguments: 0..<16)
  func layouts(_ seed: Int) throws {
    let ring = try ring("k1", "k1")
    let sealer = AuthorizationCodeSealer(ring: ring)
    let random = SeededRandom(seed: UInt64(seed))
    let sealed = try #require(Base64URL.decode(sealer.seal(code()).dropFirst(4).utf8))
    let payload = try #require(ring.open(sealed, purpose: "authorization-code", associatedData: []))
    func open(_ bytes: [UInt8]) -> AuthorizationCode? {
      sealer.open("pac_" + Base64URL.encode(ring.seal(bytes, purpose: "authorization-code", associatedData: [])))
    }
    #expect(open(payload) != nil)
    #expect(open(payload + [0]) == nil)
    #expect(open([2] + payload.dropFirst()) == nil)
    for _ in 0..<50 {
      #expect(open(Array(payload.prefix(Int(random.next() % UInt64(payload.count))))) == nil)
      _ = open([1] + random.bytes(Int(random.next() % 200)))
    }
  }
}
