import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Testing

@Suite struct IntrospectionEndpointTests {
  private func tokens(_ server: ServerUnderTest) async throws -> (access: String, refresh: String) {
    let response = await server.redeem(try await server.code())
    return (try #require(response.accessToken), try #require(response.refreshToken))
  }

  @Test("RFC 7662 §2.1: only an authenticated, confidential client may ask")
  func callers() async throws {
    let server = try await Fixture.server()
    let token = try await tokens(server).access
    let requests = [
      server.raw("token=\(token)"), server.raw("token=\(token)", as: Fixture.native),
      server.raw("token=\(token)", as: Fixture.web, secret: "wrong"),
    ]
    for request in requests {
      let response = await server.introspection.respond(to: request)
      #expect(response.status == 401)
      #expect(response.errorCode == "invalid_client")
      #expect(response.json["active"] == nil)
    }
  }

  @Test(
    "RFC 7662 §2.2: a token that is no good is inactive and nothing more",
    arguments: [
      "garbage", "pat_garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "%20", "pac_x", "p", "\u{e9}",
      "pat_" + String(repeating: "A", count: 75),
    ])
  func garbage(_ token: String) async throws {
    let server = try await Fixture.server()
    let response = await server.introspection.respond(
      to: server.raw("token=\(token)", as: Fixture.web, secret: Fixture.secret))
    #expect(response.status == 200)
    #expect(response.json == ["active": false])
    #expect(server.store.operationCount == 0)
  }

  @Test(
    "A request without a token, with two, or not a form, is invalid_request",
    arguments: [
      "", "token=", "token=a&token=b", "token=%zz",
    ])
  func malformed(_ body: String) async throws {
    let server = try await Fixture.server()
    let response = await server.introspection.respond(to: server.raw(body, as: Fixture.web, secret: Fixture.secret))
    #expect(response.status == 400)
    #expect(response.errorCode == "invalid_request")
    #expect(response["Cache-Control"] == "no-store")
  }

  @Test("RFC 7662 §2.2: an expired token is inactive")
  func expired() async throws {
    let server = try await Fixture.server()
    let token = try await tokens(server).access
    server.clock.advance(by: .seconds(599))
    #expect(await server.isActive(token))
    server.clock.advance(by: .seconds(1))
    #expect(await !server.isActive(token))
  }

  @Test("A token whose client is disabled is inactive", arguments: AccessTokenFormat.allCases)
  func disabledClient(_ format: AccessTokenFormat) async throws {
    var other = Fixture.other
    other.accessTokenFormat = format
    let server = try await Fixture.server(clients: [Fixture.web, other])
    let response = await server.requestToken(["grant_type": "client_credentials"], as: other.id, secret: "other secret")
    let token = try #require(response.accessToken)
    #expect(await server.isActive(token))
    other.isDisabled = true
    server.clients.set(other)
    server.revocations.apply([.clientChanged(other.id)])
    #expect(await !server.isActive(token))
  }

  @Test("A refresh token is its own client's business only")
  func refreshToken() async throws {
    let server = try await Fixture.server()
    let token = try await tokens(server).refresh
    let facts = await server.introspect(token)
    #expect(facts["active"] == true)
    #expect(facts["token_type"] == nil)
    #expect(await server.introspect(token, as: Fixture.other, secret: "other secret") == ["active": false])
    _ = await server.refresh(token)
    #expect(await server.introspect(token) == ["active": false])
  }

  @Test("RFC 7662 §2.2: an active token's members", arguments: AccessTokenFormat.allCases)
  func members(_ format: AccessTokenFormat) async throws {
    var web = Fixture.web
    web.accessTokenFormat = format
    let server = try await Fixture.server(clients: [web])
    let token = try #require(await server.redeem(try await server.code(resource: Fixture.resource)).accessToken)
    let facts = await server.introspect(token)
    #expect(facts["active"] == true)
    #expect(facts["iss"] == .string(ServerUnderTest.issuer))
    #expect(facts["sub"] == "alice")
    #expect(facts["client_id"] == "web")
    #expect(facts["scope"] == "read")
    #expect(facts["aud"] == .array([.string(Fixture.resource)]))
    #expect(facts["token_type"] == "Bearer")
    #expect(facts["iat"] == .integer(server.clock.now.seconds))
    #expect(facts["exp"] == .integer(server.clock.now.seconds + 600))
    #expect(facts["gid"] == nil)
  }

  @Test("A store that does not answer is 503, never active:false")
  func storeDown() async throws {
    let server = try await Fixture.server()
    let token = try await tokens(server).access
    server.store.failure = .unavailable
    let response = await server.introspection.respond(
      to: server.raw("token=\(token)", as: Fixture.web, secret: Fixture.secret))
    #expect(response.status == 503)
    #expect(response["Retry-After"] == "1")
    #expect(response.json["active"] == nil)
  }
}
