import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Synchronization
import Testing

@Suite struct AccessTokenVerifierTests {
  private func jwtServer() async throws -> (ServerUnderTest, token: String, client: Client) {
    var web = Fixture.web
    web.accessTokenFormat = .jwt
    let server = try await Fixture.server(clients: [web])
    let response = await server.requestToken(["grant_type": "client_credentials"], as: web.id, secret: Fixture.secret)
    return (server, try #require(response.accessToken), web)
  }

  private func parts(_ token: String) throws -> (header: JSONObject, claims: JSONObject, signature: String) {
    let parts = token.split(separator: ".").map(String.init)
    func object(_ text: String) throws -> JSONObject {
      let bytes = try #require(Base64URL.decode(text))
      return try #require(try JSON(parsing: bytes).object)
    }
    return (try object(parts[0]), try object(parts[1]), parts[2])
  }

  private func join(_ header: JSONObject, _ claims: JSONObject, _ signature: String) -> [UInt8] {
    Array("\(Base64URL.encode(header.bytes)).\(Base64URL.encode(claims.bytes)).\(signature)".utf8)
  }

  // MARK: Tricks

  @Test(
    "RFC 8725 §2.1: no header can choose the algorithm",
    arguments: ["none", "None", "HS256", "RS256", "EdDSA", "ES384", ""])
  func algorithm(_ name: String) async throws {
    let (server, token, _) = try await jwtServer()
    var (header, claims, signature) = try parts(token)
    header["alg"] = .string(name)
    for signature in [signature, ""] {
      #expect(try await server.verifier.verify(join(header, claims, signature)) == nil)
    }
    // The classic: the public key as HMAC secret.
    let input = "\(Base64URL.encode(header.bytes)).\(Base64URL.encode(claims.bytes))"
    let key = Secret(bytes: server.signingKeys.published.publicJSON.bytes)
    let mac = Base64URL.encode(HMACSHA256.authenticate(Array(input.utf8), key: key).bytes)
    #expect(try await server.verifier.verify(Array("\(input).\(mac)".utf8)) == nil)
  }

  @Test("RFC 8725 §3.10: a key that the token brings along is not used")
  func ownKey() async throws {
    let (server, token, _) = try await jwtServer()
    let (_, claims, _) = try parts(token)
    let mine = SigningKey.generate(.es256, id: server.signingKeys.published.keys[0].id)
    #expect(try await server.verifier.verify(Array(JWT.sign(claims, type: "at+jwt", with: mine).utf8)) == nil)
  }

  @Test("RFC 7515 §5.2: changed claims no longer verify")
  func changedClaims() async throws {
    let (server, token, _) = try await jwtServer()
    var (header, claims, signature) = try parts(token)
    claims["scope"] = "read write admin"
    #expect(try await server.verifier.verify(join(header, claims, signature)) == nil)
    header["crit"] = ["exp"]
    #expect(try await server.verifier.verify(join(header, claims, signature)) == nil)
  }

  @Test(
    "RFC 9068 §4: another type, another issuer, no id and no expiry are refused, though the signature is ours",
    arguments: [
      "typ", "iss", "jti", "exp", "client_id", "gid", "aud", "none",
    ])
  func claims(_ broken: String) async throws {
    let ring = try KeyRing(active: "k", keys: [("k", Secret(bytes: SHA256.digest("k").bytes))])
    let key = SigningKey.generate(.es256)
    let clock = ManualClock()
    let random = SeededRandom()
    let handles = HandleMint(ring: ring, random: random)
    let verifier = AccessTokenVerifier(
      issuer: ServerUnderTest.issuer, handles: handles, store: InMemoryTokenStore(),
      clients: InMemoryClientDirectory([Fixture.web]), signingKeys: SigningKeys([key]),
      revocations: RevocationSet(clock: clock), clock: clock)
    var claims: JSONObject = [
      "iss": .string(ServerUnderTest.issuer), "sub": "alice", "aud": "https://auth.example", "client_id": "web",
      "scope": "read", "iat": .integer(clock.now.seconds), "exp": .integer(clock.now.seconds + 60),
      "jti": .string(Base64URL.encode(handles.locator(at: clock.now).bytes)),
    ]
    switch broken {
    case "iss": claims["iss"] = "https://evil.example"
    case "gid": claims["gid"] = "not a locator"
    case "typ", "none": break
    default: claims[broken] = nil
    }
    let token = JWT.sign(claims, type: broken == "typ" ? "JWT" : "at+jwt", with: key)
    #expect((try await verifier.verify(Array(token.utf8)) != nil) == (broken == "none"))
  }

  @Test("RFC 9068 §2.1: an ID token or any other JWT is no access token, and expiry is a bound")
  func expiry() async throws {
    let (server, token, _) = try await jwtServer()
    server.clock.advance(by: .seconds(599))
    #expect(try await server.verifier.verify(Array(token.utf8)) != nil)
    server.clock.advance(by: .seconds(1))
    #expect(try await server.verifier.verify(Array(token.utf8)) == nil)
  }

  @Test("Random and oversized bytes are no token", arguments: 0..<8)
  func fuzz(_ seed: Int) async throws {
    let server = try await Fixture.server()
    let random = SeededRandom(seed: UInt64(seed))
    for prefix in ["", "p", "pat_", "eyJ", "eyJhbGciOiJFUzI1NiJ9."] {
      let token = Array(prefix.utf8) + random.bytes(Int(random.next() % 200))
      #expect(try await server.verifier.verify(token) == nil)
    }
    #expect(try await server.verifier.verify([UInt8](repeating: UInt8(ascii: "e"), count: 1 << 20)) == nil)
  }

  // MARK: What works

  @Test("RFC 9068 §2.2: the claims of a JWT access token")
  func issuedClaims() async throws {
    let (server, token, _) = try await jwtServer()
    let (header, claims, _) = try parts(token)
    #expect(header["typ"] == "at+jwt")
    #expect(header["alg"] == "ES256")
    #expect(header["kid"] != nil)
    #expect(claims["iss"] == "https://auth.example")
    #expect(claims["sub"] == "web")
    #expect(claims["client_id"] == "web")
    #expect(claims["aud"] == "https://auth.example")
    #expect(claims["scope"] == "read write")
    #expect(claims["exp"] == .integer(server.clock.now.seconds + 600))
    #expect(claims["jti"] != nil)
    #expect(claims["gid"] == nil)
  }

  @Test("A JWT is verified without the store, also while the store is down")
  func stateless() async throws {
    let (server, token, client) = try await jwtServer()
    server.store.failure = .unavailable
    server.clients.failure = .unavailable
    let facts = try #require(try await server.verifier.verify(Array(token.utf8)))
    #expect(facts.client == client.id)
    #expect(facts.audience == [])
    #expect(server.store.operationCount == 0)
  }

  @Test("An opaque token's facts carry the digest that the fast path computes")
  func opaqueFacts() async throws {
    let server = try await Fixture.server()
    let response = await server.requestToken(
      ["grant_type": "client_credentials", "resource": Fixture.resource], as: Fixture.web.id, secret: Fixture.secret)
    let token = Array(try #require(response.accessToken).utf8)
    let facts = try #require(try await server.verifier.verify(token))
    let fast = try #require(token.withUnsafeBytes { HandleLayout.locatorAndHash($0, .accessToken) })
    #expect(facts.locator == fast.0)
    #expect(facts.secretHash == fast.1)
    #expect(facts.audience == [Fixture.resource])
    #expect(facts.expiresAt == server.clock.now + .seconds(600))
  }

  @Test("A good tag is not enough: the secret must be the one that was recorded")
  func anotherSecret() async throws {
    let server = try await Fixture.server()
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret)
    let token = try #require(response.accessToken)
    let genuine = try #require(server.handles.parse(token, .accessToken))
    let forged = server.handles.text(of: server.handles.make(.accessToken, locator: genuine.locator))
    #expect(server.handles.parse(forged, .accessToken) != nil)
    #expect(try await server.verifier.verify(Array(forged.utf8)) == nil)
  }

  @Test("RFC 7517: after rotation the old key still verifies, and a removed one does not")
  func keyRotation() async throws {
    let ring = try KeyRing(active: "k", keys: [("k", Secret(bytes: SHA256.digest("k").bytes))])
    let clock = ManualClock()
    let handles = HandleMint(ring: ring, random: SeededRandom())
    let (old, new) = (SigningKey.generate(.es256), SigningKey.generate(.es256))
    func verifier(_ keys: [SigningKey]) -> AccessTokenVerifier {
      AccessTokenVerifier(
        issuer: ServerUnderTest.issuer, handles: handles, store: InMemoryTokenStore(),
        clients: InMemoryClientDirectory(), signingKeys: SigningKeys(keys), revocations: RevocationSet(clock: clock),
        clock: clock)
    }
    let claims: JSONObject = [
      "iss": .string(ServerUnderTest.issuer), "sub": "a", "aud": "x", "client_id": "web", "scope": "read",
      "iat": .integer(clock.now.seconds), "exp": .integer(clock.now.seconds + 60),
      "jti": .string(Base64URL.encode(handles.locator(at: clock.now).bytes)),
    ]
    let token = Array(JWT.sign(claims, type: "at+jwt", with: old).utf8)
    #expect(try await verifier([new, old]).verify(token) != nil)
    #expect(try await verifier([new]).verify(token) == nil)
  }

  // MARK: Asking again

  @Test("What was verified is confirmed by its facts alone, also when it has expired, until it is ended", arguments: [false, true])
  func confirmation(isJWT: Bool) async throws {
    var web = Fixture.web
    web.accessTokenFormat = isJWT ? .jwt : .opaque
    let server = try await Fixture.server(clients: [web])
    let response = await server.requestToken(["grant_type": "client_credentials"], as: web.id, secret: Fixture.secret)
    let token = Array(try #require(response.accessToken).utf8)
    let facts = try #require(try await server.verifier.verify(token))
    #expect((facts.keyID != nil) == isJWT)
    #expect(try await server.verifier.confirm(facts)?.scope == facts.scope)
    var forged = facts
    forged.secretHash = SHA256.digest("another")
    if !isJWT { #expect(try await server.verifier.confirm(forged) == nil) }
    forged.keyID = "withdrawn"
    if isJWT { #expect(try await server.verifier.confirm(forged) == nil) }

    // A change of the client is heard of and looked at.
    var narrow = web
    narrow.scopes = ["read"]
    server.clients.set(narrow)
    server.revocations.apply([.clientChanged(web.id)])
    #expect(try await server.verifier.confirm(facts)?.scope == ["read"])
    server.clock.advance(by: .seconds(601))
    #expect(try await server.verifier.confirm(facts) != nil)
    narrow.isDisabled = true
    server.clients.set(narrow)
    #expect(try await server.verifier.confirm(facts) == nil)
    server.clients.set(web)
    #expect(try await server.verifier.confirm(facts) != nil)

    try await server.store.revokeAccessToken(facts.locator, expiresAt: .init(seconds: 4_000_000_000), at: server.clock.now)
    server.revocations.apply([.accessTokenRevoked(facts.locator)])
    #expect(try await server.verifier.confirm(facts) == nil)
  }

  // MARK: While changes may not reach the process

  private final class Feed: Freshness {
    private let state = Atomic(false)
    var isFresh: Bool { state.load(ordering: .relaxed) }
    func resume() { state.store(true, ordering: .relaxed) }
  }

  /// A verifier of the server's JWTs that hears of no change.
  private func deafVerifier(_ server: ServerUnderTest, _ feed: Feed) -> AccessTokenVerifier {
    AccessTokenVerifier(
      issuer: ServerUnderTest.issuer, handles: server.handles, store: server.store, clients: server.clients,
      signingKeys: server.signingKeys, revocations: RevocationSet(clock: server.clock), freshness: feed, clock: server.clock)
  }

  @Test("While no changes come, the store is asked whether a JWT was revoked, and its client disabled")
  func deafAsks() async throws {
    let (server, token, client) = try await jwtServer()
    let deaf = deafVerifier(server, Feed())
    let facts = try #require(try await deaf.verify(Array(token.utf8)))
    try await server.store.revokeAccessToken(facts.locator, expiresAt: facts.expiresAt, at: server.clock.now)
    #expect(try await deaf.verify(Array(token.utf8)) == nil)

    let (other, second, _) = try await jwtServer()
    let deafToo = deafVerifier(other, Feed())
    var disabled = client
    disabled.isDisabled = true
    other.clients.set(disabled)
    #expect(try await deafToo.verify(Array(second.utf8)) == nil)
  }

  @Test("While no changes come and the store is down, a JWT's signature is enough, and one question a second finds out")
  func deafAndAlone() async throws {
    let (server, token, _) = try await jwtServer()
    let feed = Feed()
    let deaf = deafVerifier(server, feed)
    server.store.failure = .unavailable
    for _ in 0..<10 { #expect(try await deaf.verify(Array(token.utf8)) != nil) }
    #expect(server.store.operationCount == 1)
    server.clock.advance(by: .seconds(1))
    for _ in 0..<10 { #expect(try await deaf.verify(Array(token.utf8)) != nil) }
    #expect(server.store.operationCount == 2)

    server.clock.advance(by: .seconds(1))
    server.store.failure = nil
    let facts = try #require(try await deaf.verify(Array(token.utf8)))
    try await server.store.revokeAccessToken(facts.locator, expiresAt: facts.expiresAt, at: server.clock.now)
    #expect(try await deaf.verify(Array(token.utf8)) == nil, "the store answers again, and is asked each time")
    let asked = server.store.operationCount
    feed.resume()
    _ = try await deaf.verify(Array(token.utf8))
    #expect(server.store.operationCount == asked, "what was heard counts again")
  }

  @Test("What was heard before changes stopped coming stays heard while the store is down")
  func deafButWarned() async throws {
    let (server, token, _) = try await jwtServer()
    let revocations = RevocationSet(clock: server.clock)
    let deaf = AccessTokenVerifier(
      issuer: ServerUnderTest.issuer, handles: server.handles, store: server.store, clients: server.clients,
      signingKeys: server.signingKeys, revocations: revocations, freshness: Feed(), clock: server.clock)
    let facts = try #require(try await deaf.verify(Array(token.utf8)))
    revocations.apply([.accessTokenRevoked(facts.locator)])
    server.store.failure = .unavailable
    #expect(try await deaf.verify(Array(token.utf8)) == nil)
  }
}
