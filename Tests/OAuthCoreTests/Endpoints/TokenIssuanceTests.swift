import JSON
import OAuthCore
import PosternTesting
import Testing

/// What a grant plans is limited by the core, whatever the grant says.
@Suite struct TokenIssuanceTests {
  /// Plans what a test tells it to.
  private struct Planned: GrantHandler {
    var descriptor = GrantDescriptor(grantType: GrantType("urn:example:planned"), parameters: [])
    var scope: ScopeSet = ["read"]
    var audience: [String] = []
    var claims: JSONObject = [:]
    var responseMembers: JSONObject = [:]
    var lifetime: Duration?
    var wantsRefreshToken = false

    func parse(_ form: GrantForm) throws(OAuthError) {}

    func plan(_ request: Void, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan {
      IssuancePlan(
        .decided(
          Authorization(
            subject: Fixture.alice, client: context.client.id, scope: scope, audience: audience, claims: claims)),
        lifetime: lifetime, wantsRefreshToken: wantsRefreshToken, responseMembers: responseMembers)
    }
  }

  private func server(
    format: AccessTokenFormat = .opaque, grants: Set<GrantType> = [.refreshToken, GrantType("urn:example:planned")],
    _ planned: Planned
  ) async throws -> ServerUnderTest {
    var web = Fixture.web
    web.grants = grants
    web.accessTokenFormat = format
    return try await Fixture.server(clients: [web], adding: [planned])
  }

  private func ask(_ server: ServerUnderTest) async -> EndpointResponse {
    await server.requestToken(["grant_type": "urn:example:planned"], as: Fixture.web.id, secret: Fixture.secret)
  }

  @Test("A plan cannot pass the client's scopes or resources")
  func limits() async throws {
    #expect(await ask(try await server(Planned(scope: ["read", "admin"]))).errorCode == "invalid_scope")
    #expect(await ask(try await server(Planned(audience: ["https://b.example"]))).errorCode == "invalid_target")
  }

  @Test("A plan may shorten a token's life, not lengthen it")
  func lifetime() async throws {
    #expect(await ask(try await server(Planned(lifetime: .seconds(5)))).json["expires_in"] == 5)
    #expect(await ask(try await server(Planned(lifetime: .seconds(50_000)))).json["expires_in"] == 600)
    #expect(await ask(try await server(Planned(lifetime: .zero))).json["expires_in"] == 1)
  }

  @Test("A refresh token needs plan, descriptor and client to agree")
  func refreshToken() async throws {
    let type = GrantType("urn:example:planned")
    var planned = Planned(wantsRefreshToken: true)
    #expect(await ask(try await server(planned)).refreshToken == nil)
    planned.descriptor.mayRefresh = true
    #expect(await ask(try await server(grants: [type], planned)).refreshToken == nil)
    #expect(await ask(try await server(planned)).refreshToken != nil)
    planned.wantsRefreshToken = false
    #expect(await ask(try await server(planned)).refreshToken == nil)
  }

  @Test("A token for somebody else than its client ends with that person's consent", arguments: AccessTokenFormat.allCases)
  func withdrawal(_ format: AccessTokenFormat) async throws {
    let server = try await server(format: format, Planned())
    let token = try #require(await ask(server).accessToken)
    #expect(await server.isActive(token))
    try await server.store.revokeFamilies(of: Fixture.alice, client: Fixture.web.id, at: server.clock.now)
    #expect(await !server.isActive(token))
  }

  @Test("A grant's claims never replace or invent what a token may do", arguments: AccessTokenFormat.allCases)
  func claims(_ format: AccessTokenFormat) async throws {
    let claims: JSONObject = [
      "sub": "mallory", "client_id": "other", "scope": "admin", "aud": "https://b.example", "gid": "x", "exp": 1,
      "iss": "https://evil.example", "jti": "x", "auth_time": 1, "active": false, "tenant": "7",
    ]
    let server = try await server(format: format, Planned(scope: [], claims: claims))
    let response = await ask(server)
    #expect(response.json["scope"] == nil)
    let token = try #require(response.accessToken)
    let facts = try #require(try await server.verifier.verify(Array(token.utf8)))
    #expect(facts.subject == Fixture.alice)
    #expect(facts.scope.isEmpty)
    #expect(facts.audience.isEmpty)
    let family = try #require(facts.family)
    #expect(try await server.store.family(family)?.authorization.subject == Fixture.alice)
    let told = await server.introspect(token)
    #expect(told["active"] == true)
    #expect(told["sub"] == "alice")
    #expect(told["scope"] == nil)
    #expect(told["aud"] == nil)
    #expect(told["auth_time"] == nil)
    #expect(told["tenant"] == "7")
  }

  @Test("A grant's response members never replace or invent those of RFC 6749 §5.1")
  func responseMembers() async throws {
    let members: JSONObject = [
      "access_token": "mine", "token_type": "mac", "expires_in": 1, "refresh_token": "mine", "scope": "admin",
      "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    ]
    let response = await ask(try await server(Planned(scope: [], responseMembers: members)))
    #expect(response.accessToken?.hasPrefix("pat_") == true)
    #expect(response.json["token_type"] == "Bearer")
    #expect(response.json["expires_in"] == 600)
    #expect(response.refreshToken == nil)
    #expect(response.json["scope"] == nil)
    #expect(response.json["issued_token_type"] != nil)
  }
}
