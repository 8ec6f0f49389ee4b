import CustomGrant
import Grants
import JSON
import OAuthCore
import PosternTesting
import Testing

/// A grant from outside the package gets every guarantee that the built-in ones have, without writing a line for it.
@Suite struct CompanionCodeGrantTests {
  private struct OnePairing: CompanionCodeGrant.Pairings {
    var expiresAt: Timestamp
    var scope: ScopeSet = ["read"]
    func pairing(code: String) async throws(StoreFailure) -> CompanionCodeGrant.Pairing? {
      code != "1234-5678"
        ? nil
        : CompanionCodeGrant.Pairing(subject: Fixture.alice, client: Fixture.web.id, scope: scope, expiresAt: expiresAt)
    }
  }

  private static let type = "urn:example:grant:companion-code"

  private func server(paired scope: ScopeSet = ["read"], allowed: Bool = true) async throws -> ServerUnderTest {
    var web = Fixture.web
    if allowed { web.grants.insert(GrantType(Self.type)) }
    var other = Fixture.other
    other.grants.insert(GrantType(Self.type))
    let pairings = OnePairing(expiresAt: ManualClock().now + .seconds(300), scope: scope)
    return try await ServerUnderTest(clients: [web, other]) { parts in
      [RefreshTokenGrant(handles: parts.handles), CompanionCodeGrant(pairings: pairings)]
    }
  }

  private func pair(_ server: ServerUnderTest, code: String = "1234-5678", extra: String = "") async -> EndpointResponse
  {
    let body = "grant_type=\(PercentEncoding.encode(Self.type))&companion_code=\(code)\(extra)"
    return await server.token.respond(to: server.raw(body, as: Fixture.web, secret: Fixture.secret))
  }

  @Test("RFC 8414 §2: a plugged-in grant shows in the metadata by itself")
  func metadata() async throws {
    let members = MetadataDocument(issuer: ServerUnderTest.issuer, registry: try await server().registry).members
    #expect(members["grant_types_supported"] == .array(["refresh_token", .string(Self.type)]))
  }

  @Test("A plugged-in grant is refused to a client that is not registered for it")
  func notAllowed() async throws {
    let response = await pair(try await server(allowed: false))
    #expect(response.errorCode == "unauthorized_client")
  }

  @Test(
    "A plugged-in grant gets its parameters checked: missing, repeated, too long, empty",
    arguments: [
      "companion_code=", "companion_code=1&companion_code=2", "companion_code=" + String(repeating: "1", count: 65), "",
    ])
  func parameters(_ parameters: String) async throws {
    let server = try await server()
    let body = "grant_type=\(PercentEncoding.encode(Self.type))&" + parameters
    let response = await server.token.respond(to: server.raw(body, as: Fixture.web, secret: Fixture.secret))
    #expect(response.errorCode == "invalid_request")
  }

  @Test("A plugged-in grant cannot pass the client's scopes, even when it plans to")
  func scopeCap() async throws {
    let response = await pair(try await server(paired: ["read", "admin"]))
    #expect(response.errorCode == "invalid_scope")
  }

  @Test("A plugged-in grant's code of another client is refused")
  func anotherClient() async throws {
    let server = try await server()
    let body = "grant_type=\(PercentEncoding.encode(Self.type))&companion_code=1234-5678"
    let response = await server.token.respond(to: server.raw(body, as: Fixture.other, secret: "other secret"))
    #expect(response.errorCode == "invalid_grant")
  }

  @Test("A plugged-in grant's artefact is used once, by one of 100 parallel requests")
  func oneTime() async throws {
    let server = try await server()
    let answers = await withTaskGroup(of: EndpointResponse.self) { group in
      for _ in 0..<100 { group.addTask { await pair(server) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.count { $0.status == 200 } == 1)
    #expect(answers.count { $0.errorCode == "invalid_grant" } == 99)
  }

  @Test("A plugged-in grant yields tokens that introspection knows, refreshes, and is not cached")
  func works() async throws {
    let server = try await server()
    let response = await pair(server)
    #expect(response.status == 200)
    #expect(response["Cache-Control"] == "no-store")
    #expect(await server.isActive(try #require(response.accessToken)))
    #expect(await server.refresh(try #require(response.refreshToken)).status == 200)
    #expect(server.audit.events.first?.kind == .tokenIssued)
  }
}
