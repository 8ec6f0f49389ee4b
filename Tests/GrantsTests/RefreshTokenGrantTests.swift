import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Testing

@Suite struct RefreshTokenGrantTests {
  private func start(scope: String = "read write") async throws -> (
    ServerUnderTest, accessToken: String, refreshToken: String
  ) {
    let server = try await Fixture.server()
    let response = await server.redeem(try await server.code(scope: scope))
    return (server, try #require(response.accessToken), try #require(response.refreshToken))
  }

  // MARK: What must not work, and must not consume

  @Test("RFC 6749 §6: another client's refresh token is refused and nothing is consumed")
  func anotherClient() async throws {
    let (server, _, token) = try await start()
    let response = await server.refresh(token, as: Fixture.other, secret: "other secret")
    #expect(response.errorCode == "invalid_grant")
    #expect(await server.refresh(token).status == 200)
  }

  @Test("RFC 6749 §6: a wider scope is refused and nothing is consumed")
  func widerScope() async throws {
    let (server, _, token) = try await start(scope: "read")
    #expect(await server.refresh(token, extra: "&scope=read%20write").errorCode == "invalid_scope")
    #expect(await server.refresh(token).json["scope"] == "read")
  }

  @Test("RFC 8707 §2.2: another resource is refused and nothing is consumed")
  func widerAudience() async throws {
    let (server, _, token) = try await start()
    let extra = "&resource=" + PercentEncoding.encode(Fixture.resource)
    #expect(await server.refresh(token, extra: extra).errorCode == "invalid_target")
    #expect(await server.refresh(token).status == 200)
  }

  @Test("A forged or foreign refresh token ends before the store")
  func forged() async throws {
    let (server, accessToken, token) = try await start()
    let operations = server.store.operationCount
    for index in stride(from: 4, to: token.utf8.count, by: 5) {
      var bytes = Array(token.utf8)
      bytes[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      #expect(await server.refresh(String(decoding: bytes, as: UTF8.self)).errorCode == "invalid_grant")
    }
    for text in [accessToken, token + "A", String(token.dropLast()), "prt_", ""] {
      #expect(await server.refresh(text).status == 400)
    }
    #expect(server.store.operationCount == operations)
  }

  @Test("A refresh token that idles too long ends, and the family ends whatever happens")
  func expiry() async throws {
    let (server, _, idle) = try await start()
    server.clock.advance(by: .seconds(14 * 86_400))
    #expect(await server.refresh(idle).errorCode == "invalid_grant")

    var token = try #require(await server.redeem(try await server.code()).refreshToken)
    for _ in 0..<9 {
      server.clock.advance(by: .seconds(9 * 86_400))
      token = try #require(await server.refresh(token).refreshToken)
    }
    server.clock.advance(by: .seconds(9 * 86_400))
    #expect(await server.refresh(token).errorCode == "invalid_grant")
  }

  @Test("The last access token does not outlive its family")
  func familyEnd() async throws {
    var policy = TokenPolicy(issuer: ServerUnderTest.issuer)
    policy.refreshAbsolute = .seconds(1000)
    let server = try await Fixture.server(policy: policy)
    let token = try #require(await server.redeem(try await server.code()).refreshToken)
    server.clock.advance(by: .seconds(900))
    let response = await server.refresh(token)
    #expect(response.json["expires_in"] == 100)
  }

  @Test("RFC 9700 §4.14.2: reuse after the grace window ends the family and its access tokens")
  func reuse() async throws {
    let (server, firstAccess, first) = try await start()
    let refreshed = await server.refresh(first)
    let second = try #require(refreshed.refreshToken)
    let secondAccess = try #require(refreshed.accessToken)
    server.clock.advance(by: .seconds(31))
    #expect(await server.refresh(first).errorCode == "invalid_grant")
    #expect(await server.refresh(second).errorCode == "invalid_grant")
    #expect(await !server.isActive(firstAccess))
    #expect(await !server.isActive(secondAccess))
    #expect(server.audit.events.contains { $0.kind == .replayDetected })
  }

  @Test("RFC 9700 §4.14.2: a token two generations old is reuse even inside the grace window")
  func olderGeneration() async throws {
    let (server, _, first) = try await start()
    let second = try #require(await server.refresh(first).refreshToken)
    let third = try #require(await server.refresh(second).refreshToken)
    #expect(await server.refresh(first).errorCode == "invalid_grant")
    #expect(await server.refresh(third).errorCode == "invalid_grant")
  }

  // MARK: What works

  @Test("A retry inside the grace window yields the same successor")
  func retry() async throws {
    let (server, _, first) = try await start()
    let answered = try #require(await server.refresh(first).refreshToken)
    server.clock.advance(by: .seconds(29))
    let retried = await server.refresh(first)
    #expect(retried.refreshToken == answered)
    #expect(await server.isActive(try #require(retried.accessToken)))
    #expect(await server.refresh(answered).status == 200)
  }

  @Test("50 parallel refreshes with one token all carry the same successor")
  func race() async throws {
    let (server, _, token) = try await start()
    let answers = await withTaskGroup(of: EndpointResponse.self) { group in
      for _ in 0..<50 { group.addTask { await server.refresh(token) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.allSatisfy { $0.status == 200 })
    #expect(Set(answers.compactMap(\.refreshToken)).count == 1)
    #expect(Set(answers.compactMap(\.accessToken)).count == 50)
  }

  @Test("RFC 6749 §6: a narrower scope narrows the access token, not the grant")
  func narrowerScope() async throws {
    let (server, _, token) = try await start()
    let narrowed = await server.refresh(token, extra: "&scope=read")
    #expect(narrowed.json["scope"] == "read")
    #expect(await server.introspect(try #require(narrowed.accessToken))["scope"] == "read")
    #expect(await server.refresh(try #require(narrowed.refreshToken)).json["scope"] == "read write")
  }

  @Test("What a client is no longer registered for is gone from its tokens", arguments: AccessTokenFormat.allCases)
  func narrowedClient(_ format: AccessTokenFormat) async throws {
    var web = Fixture.web
    web.accessTokenFormat = format
    let server = try await Fixture.server(clients: [web])
    let first = await server.redeem(try await server.code(for: web, scope: "read write"))
    let before = try #require(first.accessToken)
    web.scopes = ["read"]
    server.clients.set(web)
    server.revocations.apply([.clientChanged(web.id)])
    #expect(await server.introspect(before)["scope"] == "read")
    let refreshed = await server.refresh(try #require(first.refreshToken))
    #expect(refreshed.json["scope"] == "read")
    #expect(await server.introspect(try #require(refreshed.accessToken))["scope"] == "read")
  }

  @Test("A refresh keeps subject and sign-in time")
  func keepsAuthorization() async throws {
    let (server, _, token) = try await start()
    let signedIn = server.clock.now.seconds
    server.clock.advance(by: .seconds(100))
    let facts = await server.introspect(try #require(await server.refresh(token).accessToken))
    #expect(facts["sub"] == "alice")
    #expect(facts["auth_time"] == .integer(signedIn))
  }

  @Test("RFC 6749 §6: a store that fails while refreshing leaves the token good")
  func storeFailure() async throws {
    let (server, _, token) = try await start()
    server.store.failure = .overloaded
    #expect(await server.refresh(token).status == 503)
    server.store.failure = nil
    #expect(await server.refresh(token).status == 200)
  }
}
