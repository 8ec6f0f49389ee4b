import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Testing

@testable import Grants

@Suite struct AuthorizationCodeGrantTests {
  // MARK: What must not work

  @Test("RFC 7636 §4.6: a wrong verifier, then none, then the right one: refused, refused, accepted")
  func wrongVerifierBurnsNothing() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    let wrong = await server.redeem(code, verifier: String(repeating: "a", count: 43))
    #expect(wrong.errorCode == "invalid_grant")
    let missing = await server.redeem(code, verifier: nil)
    #expect(missing.errorCode == "invalid_grant")
    #expect(server.store.operationCount == 0)
    let right = await server.redeem(code)
    #expect(right.status == 200)
  }

  @Test("A code that was minted before its consent was withdrawn is worth nothing afterwards")
  func withdrawnConsent() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    try await server.consents.withdraw(from: Fixture.web.id, by: Fixture.alice, at: server.clock.now)
    #expect(await server.redeem(code).errorCode == "invalid_grant")
    #expect(server.audit.events.last?.kind == .tokenRefused)
  }

  @Test(
    "RFC 7636 §4.1: a verifier has 43 to 128 unreserved characters",
    arguments: [
      "short", String(repeating: "a", count: 42), String(repeating: "a", count: 42) + "%2B",
    ])
  func malformedVerifier(_ verifier: String) async throws {
    let server = try await Fixture.server()
    let response = await server.redeem(try await server.code(), verifier: verifier)
    #expect(response.errorCode == "invalid_grant")
    #expect(response.status == 400)
  }

  @Test("RFC 7636 §4.6: the challenge itself is no verifier, as it would be with plain")
  func plainRefused() async throws {
    let server = try await Fixture.server()
    let response = await server.redeem(try await server.code(), verifier: Fixture.challenge)
    #expect(response.errorCode == "invalid_grant")
  }

  @Test("RFC 9700 §2.1.1: a verifier for a code without a challenge is refused")
  func downgrade() async throws {
    let server = try await Fixture.server(proofKeyRule: .publicClients)
    let code = AuthorizationCode.sample(on: server, challenge: nil)
    try await server.consents.allow(code.scope, to: code.client, by: code.subject, at: server.clock.now)
    let text = server.codes.seal(code)
    #expect(await server.redeem(text).errorCode == "invalid_grant")
    #expect(await server.redeem(text, verifier: nil).status == 200)
  }

  @Test("RFC 6749 §4.1.3: a code of another client is refused, and stays good for its own")
  func anotherClient() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    let stolen = await server.redeem(code, as: Fixture.other, secret: "other secret", redirectURI: Fixture.callback)
    #expect(stolen.errorCode == "invalid_grant")
    #expect(await server.redeem(code).status == 200)
  }

  @Test(
    "RFC 6749 §4.1.3: redirect_uri must be identical to the one of the authorization request",
    arguments: [
      "https://web.example/callback/", "https://web.example/Callback", "https://web.example/callback?x=1",
      "https://other.example/callback", "",
    ])
  func redirectURI(_ redirectURI: String) async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    #expect(await server.redeem(code, redirectURI: redirectURI).errorCode == "invalid_grant")
    #expect(await server.redeem(code).status == 200)
  }

  @Test("RFC 6749 §4.1.2: a code expires, after 60 seconds at most")
  func expiry() async throws {
    let server = try await Fixture.server()
    let late = try await server.code()
    server.clock.advance(by: .seconds(60))
    #expect(await server.redeem(late).errorCode == "invalid_grant")
    let timely = try await server.code()
    server.clock.advance(by: .seconds(59))
    #expect(await server.redeem(timely).status == 200)
  }

  @Test("A code with any byte changed is no code")
  func tampered() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    for index in stride(from: 4, to: code.utf8.count, by: 7) {
      var bytes = Array(code.utf8)
      bytes[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      let response = await server.redeem(String(decoding: bytes, as: UTF8.self))
      #expect(response.errorCode == "invalid_grant")
    }
    #expect(server.store.operationCount == 0)
  }

  @Test("RFC 8707 §2.2: a token request may narrow the resources, not add one")
  func resources() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    let body =
      "grant_type=authorization_code&code=\(code)&redirect_uri=\(PercentEncoding.encode(Fixture.callback))"
      + "&code_verifier=\(Fixture.verifier)&resource=\(PercentEncoding.encode(Fixture.resource))"
    let response = await server.token.respond(to: server.raw(body, as: Fixture.web, secret: Fixture.secret))
    #expect(response.errorCode == "invalid_target")
    #expect(await server.redeem(code).status == 200)
  }

  // MARK: One time

  @Test("RFC 6749 §4.1.2: one code redeemed 100 times in parallel succeeds once, and the rest is invalid_grant")
  func race() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    let answers = await withTaskGroup(of: EndpointResponse.self) { group in
      for _ in 0..<100 { group.addTask { await server.redeem(code) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.count { $0.status == 200 } == 1)
    #expect(answers.count { $0.status == 400 && $0.errorCode == "invalid_grant" } == 99)
  }

  @Test("RFC 6749 §4.1.2, §10.5: a replay ends the tokens that the code yielded")
  func replay() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    let first = await server.redeem(code)
    let accessToken = try #require(first.accessToken)
    let refreshToken = try #require(first.refreshToken)
    #expect(await server.isActive(accessToken))

    let second = await server.redeem(code)
    #expect(second.errorCode == "invalid_grant")
    #expect(second.accessToken == nil)
    #expect(await !server.isActive(accessToken))
    #expect(await server.refresh(refreshToken).errorCode == "invalid_grant")
    #expect(server.audit.events.contains { $0.kind == .replayDetected })
  }

  @Test("RFC 6749 §10.5: a replay ends a JWT that the code yielded, without asking the database")
  func replayEndsJWT() async throws {
    var client = Fixture.web
    client.accessTokenFormat = .jwt
    let server = try await Fixture.server(clients: [client])
    let code = try await server.code(for: client)
    let accessToken = try #require(await server.redeem(code).accessToken)
    #expect(await server.isActive(accessToken))
    _ = await server.redeem(code)
    let operations = server.store.operationCount
    #expect(await !server.isActive(accessToken))
    #expect(server.store.operationCount == operations)
  }

  @Test("A replay ends what the code yielded also when no refresh token was issued")
  func replayWithoutRefreshToken() async throws {
    var client = Fixture.web
    client.grants.remove(.refreshToken)
    let server = try await Fixture.server(clients: [client])
    let code = try await server.code(for: client)
    let first = await server.redeem(code)
    #expect(first.refreshToken == nil)
    _ = await server.redeem(code)
    #expect(await !server.isActive(try #require(first.accessToken)))
  }

  // MARK: What works

  @Test("RFC 6749 §4.1.4: a code yields an access token and a refresh token for what was approved")
  func redeem() async throws {
    let server = try await Fixture.server()
    let response = await server.redeem(try await server.code(scope: "read", resource: Fixture.resource))
    #expect(response.status == 200)
    #expect(response.json["scope"] == "read")
    #expect(response.refreshToken?.hasPrefix("prt_") == true)
    let facts = await server.introspect(try #require(response.accessToken))
    #expect(facts["sub"] == "alice")
    #expect(facts["aud"] == .array([.string(Fixture.resource)]))
    #expect(facts["auth_time"] == .integer(server.clock.now.seconds))
  }

  @Test("RFC 8252 §8.1: a public client redeems its code with PKCE alone")
  func publicClient() async throws {
    let server = try await Fixture.server()
    let response = await server.redeem(try await server.code(for: Fixture.native), as: Fixture.native)
    #expect(response.status == 200)
  }

  @Test("A store that fails while redeeming leaves the code good")
  func storeFailure() async throws {
    let server = try await Fixture.server()
    let code = try await server.code()
    server.store.failure = .unavailable
    let response = await server.redeem(code)
    #expect(response.status == 503)
    #expect(response["Retry-After"] == "1")
    server.store.failure = nil
    #expect(await server.redeem(code).status == 200)
  }
}

extension AuthorizationCode {
  static func sample(on server: ServerUnderTest, challenge: ProofKey.Challenge?) -> AuthorizationCode {
    AuthorizationCode(
      id: server.handles.locator(at: server.clock.now), family: server.handles.locator(at: server.clock.now),
      client: Fixture.web.id, redirectURI: Fixture.callback, isRedirectURIRequired: true, challenge: challenge,
      scope: ["read"], resources: [], subject: Fixture.alice, authenticatedAt: server.clock.now, nonce: nil,
      expiresAt: server.clock.now + .seconds(60))
  }
}
