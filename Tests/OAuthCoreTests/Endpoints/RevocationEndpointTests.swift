import JSON
import OAuthCore
import PosternTesting
import Testing

@Suite struct RevocationEndpointTests {
  private func revoke(
    _ server: ServerUnderTest, _ token: String, as client: Client = Fixture.web, secret: String? = Fixture.secret
  ) async -> EndpointResponse {
    await server.revocation.respond(
      to: server.raw("token=\(token)", as: client, secret: client.isPublic ? nil : secret))
  }

  private func tokens(_ server: ServerUnderTest, _ client: Client = Fixture.web) async throws -> (
    access: String, refresh: String
  ) {
    let response = await server.redeem(try await server.code(for: client), as: client)
    return (try #require(response.accessToken), try #require(response.refreshToken))
  }

  @Test("RFC 7009 §2.1: another client's token is refused and lives on", arguments: AccessTokenFormat.allCases)
  func anotherClient(_ format: AccessTokenFormat) async throws {
    var web = Fixture.web
    web.accessTokenFormat = format
    let server = try await Fixture.server(clients: [web, Fixture.other])
    let (access, refresh) = try await tokens(server, web)
    for token in [access, refresh] {
      let response = await revoke(server, token, as: Fixture.other, secret: "other secret")
      #expect(response.status == 400)
      #expect(response.errorCode == "invalid_grant")
    }
    #expect(await server.isActive(access))
    #expect(await server.refresh(refresh).status == 200)
  }

  @Test("RFC 7009 §2.1: an unauthenticated client ends nothing")
  func unauthenticated() async throws {
    let server = try await Fixture.server()
    let (access, _) = try await tokens(server)
    #expect(await revoke(server, access, secret: "wrong").status == 401)
    #expect(await server.revocation.respond(to: server.raw("token=\(access)")).status == 401)
    #expect(await server.isActive(access))
  }

  @Test(
    "RFC 7009 §2.2.1: what is no access or refresh token is unsupported_token_type",
    arguments: ["pac_x", "psk_x", "pss_x"])
  func unsupported(_ token: String) async throws {
    let response = await revoke(try await Fixture.server(), token)
    #expect(response.status == 400)
    #expect(response.errorCode == "unsupported_token_type")
  }

  @Test("A request without a token or with two is invalid_request", arguments: ["", "token=a&token=b"])
  func malformed(_ body: String) async throws {
    let server = try await Fixture.server()
    let response = await server.revocation.respond(to: server.raw(body, as: Fixture.web, secret: Fixture.secret))
    #expect(response.errorCode == "invalid_request")
  }

  @Test("RFC 7009 §2.2: unknown, expired and ended tokens are success", arguments: ["garbage", "pat_x", "a.b.c"])
  func unknown(_ token: String) async throws {
    let server = try await Fixture.server()
    let response = await revoke(server, token)
    #expect(response.status == 200)
    #expect(response.body.isEmpty)
    let (access, refresh) = try await tokens(server)
    for _ in 0..<2 {
      #expect(await revoke(server, access).status == 200)
      #expect(await revoke(server, refresh).status == 200)
    }
  }

  @Test("RFC 7009 §2.1: a revoked refresh token takes the whole family with it", arguments: AccessTokenFormat.allCases)
  func family(_ format: AccessTokenFormat) async throws {
    var web = Fixture.web
    web.accessTokenFormat = format
    let server = try await Fixture.server(clients: [web])
    let (access, refresh) = try await tokens(server, web)
    let refreshed = await server.refresh(refresh)
    #expect(await revoke(server, try #require(refreshed.refreshToken)).status == 200)
    #expect(await !server.isActive(access))
    #expect(await !server.isActive(try #require(refreshed.accessToken)))
    #expect(await server.refresh(try #require(refreshed.refreshToken)).errorCode == "invalid_grant")
    #expect(server.audit.events.last { $0.kind == .tokenRevoked }?.client == web.id)
  }

  @Test("A superseded refresh token still ends its family")
  func superseded() async throws {
    let server = try await Fixture.server()
    let (access, refresh) = try await tokens(server)
    _ = await server.refresh(refresh)
    server.clock.advance(by: .seconds(60))
    #expect(await revoke(server, refresh).status == 200)
    #expect(await !server.isActive(access))
  }

  @Test("RFC 7009 §2.1: a revoked access token ends alone", arguments: AccessTokenFormat.allCases)
  func accessToken(_ format: AccessTokenFormat) async throws {
    var web = Fixture.web
    web.accessTokenFormat = format
    let server = try await Fixture.server(clients: [web])
    let (access, refresh) = try await tokens(server, web)
    #expect(await revoke(server, access).status == 200)
    #expect(await !server.isActive(access))
    #expect(await server.refresh(refresh).status == 200)
  }

  @Test("RFC 7009 §2.1: a public client may revoke its own tokens")
  func publicClient() async throws {
    let server = try await Fixture.server()
    let (access, refresh) = try await tokens(server, Fixture.native)
    #expect(await revoke(server, refresh, as: Fixture.native).status == 200)
    #expect(await !server.isActive(access))
  }

  @Test("RFC 7009 §2.2.1: a store that does not answer is 503 with Retry-After")
  func storeDown() async throws {
    let server = try await Fixture.server()
    let (_, refresh) = try await tokens(server)
    server.store.failure = .overloaded
    let response = await revoke(server, refresh)
    #expect(response.status == 503)
    #expect(response["Retry-After"] == "1")
  }
}
