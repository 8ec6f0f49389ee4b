import Cryptography
import Grants
import JSON
import OAuthCore
import PosternTesting
import Synchronization
import Testing

/// Has a token for everybody at `box`, and tells who has asked.
private final class OpenVault: TokenVault {
  private let asked = Mutex<[Subject]>([])
  private let clock: @Sendable () -> Timestamp
  var askedFor: [Subject] { asked.withLock { $0 } }

  init(clock: @escaping @Sendable () -> Timestamp) { self.clock = clock }

  func release(_ audience: String, to client: ClientID, for subject: Subject) async throws(OAuthError) -> VaultToken {
    guard audience == "box" else { throw OAuthError(.invalidTarget, "no tokens are given for this audience") }
    asked.withLock { $0.append(subject) }
    return VaultToken(accessToken: Secret("box-token"), expiresAt: clock() + .milliseconds(1_234_900))
  }
}

private struct Scene {
  static let accessToken = "urn:ietf:params:oauth:token-type:access_token"
  static let agent = client("agent")
  static let rival = client("rival")

  let server: ServerUnderTest
  let vault: OpenVault

  init() async throws {
    let time = ManualClock()
    let vault = OpenVault { time.now }
    self.vault = vault
    server = try await ServerUnderTest(clients: [Self.agent, Self.rival, Fixture.web, Fixture.native]) { parts in
      [
        AuthorizationCodeGrant(codes: parts.codes), ClientCredentialsGrant(), RefreshTokenGrant(handles: parts.handles),
        TokenExchangeGrant(tokens: parts.verifier, vault: vault),
      ]
    }
  }

  private static func client(_ id: String) -> Client {
    Client(
      id: ClientID(id), name: id, authentication: .clientSecretBasic, secrets: [.sha256(SHA256.digest(Fixture.secret))],
      grants: [.authorizationCode, .refreshToken, .clientCredentials, .tokenExchange],
      redirectURIs: ["https://\(id).example/cb"], scopes: ["read"], audiences: [Fixture.resource])
  }

  /// A token of alice's for a client.
  func token(for client: Client = agent, resource: String? = nil) async throws -> String {
    let response = await server.redeem(
      try await server.code(for: client, resource: resource), as: client, secret: Fixture.secret)
    return try #require(response.accessToken)
  }

  func exchange(
    _ token: String, type: String = accessToken, audience: String = "&audience=box", extra: String = "", as client: Client = agent
  ) async -> EndpointResponse {
    let body = "grant_type=\(PercentEncoding.encode(GrantType.tokenExchange.rawValue))&subject_token=\(token)"
      + "&subject_token_type=\(PercentEncoding.encode(type))" + audience + extra
    return await server.token.respond(to: server.raw(body, as: client, secret: client.isPublic ? nil : Fixture.secret))
  }
}

/// Source: RFC 8693.
@Suite("The vault at the token endpoint") struct TokenExchangeGrantTests {
  @Test("RFC 8693 §2.2.1: a client gets the provider's token with its true end, and none of Postern's")
  func given() async throws {
    let scene = try await Scene()
    let response = await scene.exchange(try await scene.token())
    #expect(response.status == 200, "\(response.json)")
    #expect(response.json["access_token"] == "box-token" && response.json["token_type"] == "Bearer")
    #expect(response.json["issued_token_type"] == .string(Scene.accessToken))
    #expect(response.json["expires_in"] == 1234)
    #expect(response.json["refresh_token"] == nil && response.json["scope"] == nil)
    #expect(response["Cache-Control"] == "no-store")
    #expect(scene.vault.askedFor == [Fixture.alice])
    #expect(scene.server.audit.events.last?.kind == .tokenReleased)
    #expect(scene.server.audit.events.last?.subject == Fixture.alice)
  }

  @Test("a client that does not have the grant gets nothing, nor does a public one")
  func notAllowed() async throws {
    let scene = try await Scene()
    let token = try await scene.token(for: Fixture.web)
    #expect(await scene.exchange(token, as: Fixture.web).errorCode == "unauthorized_client")
    #expect(await scene.exchange(token, as: Fixture.native).errorCode == "unauthorized_client")
    #expect(scene.vault.askedFor.isEmpty)
  }

  @Test("a token that was issued to another client speaks for nobody here")
  func stolen() async throws {
    let scene = try await Scene()
    let token = try await scene.token(for: Scene.rival)
    #expect(await scene.exchange(token).errorCode == "invalid_request")
    #expect(scene.vault.askedFor.isEmpty)
  }

  @Test("a token of the client's own, one for another resource, an expired, a revoked or a made-up one is refused")
  func invalid() async throws {
    let scene = try await Scene()
    let own = await scene.server.requestToken(
      ["grant_type": "client_credentials"], as: Scene.agent.id, secret: Fixture.secret)
    let narrowed = try await scene.token(resource: Fixture.resource)
    let revoked = try await scene.token()
    _ = await scene.server.revocation.respond(
      to: scene.server.raw("token=\(revoked)", as: Scene.agent, secret: Fixture.secret))
    for token in [try #require(own.accessToken), narrowed, revoked, "pat_nonsense", "a.b.c"] {
      #expect(await scene.exchange(token).errorCode == "invalid_request")
    }
    let expired = try await scene.token()
    scene.server.clock.advance(by: .seconds(3600))
    #expect(await scene.exchange(expired).errorCode == "invalid_request")
    #expect(scene.vault.askedFor.isEmpty)
  }

  @Test("RFC 8693 §2.1: what is not understood is refused, never passed over", arguments: [
    ("&audience=box", "&actor_token=x&actor_token_type=y", "invalid_request"),
    ("&audience=box", "&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token", "invalid_request"),
    ("&audience=box", "&scope=read", "invalid_scope"), ("", "", "invalid_target"),
    ("&audience=box&audience=other", "", "invalid_target"), ("&audience=other", "", "invalid_target"),
    ("&audience=box", "&resource=https%3A%2F%2Fapi.example%2Fphotos", "invalid_target"),
  ])
  func unsupported(_ audience: String, _ extra: String, _ error: String) async throws {
    let scene = try await Scene()
    #expect(await scene.exchange(try await scene.token(), audience: audience, extra: extra).errorCode == error)
    #expect(scene.vault.askedFor.isEmpty)
  }

  @Test("RFC 8693 §3: a subject token of another type is refused", arguments: [
    "urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:refresh_token", "access_token",
  ])
  func otherType(_ type: String) async throws {
    let scene = try await Scene()
    #expect(await scene.exchange(try await scene.token(), type: type).errorCode == "invalid_request")
  }
}
