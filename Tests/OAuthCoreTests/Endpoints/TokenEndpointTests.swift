import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Testing

@Suite struct TokenEndpointTests {
  // MARK: What must not come in

  static let refusedForms: [(String, String)] = [
    ("scope=read", "invalid_request"),
    ("grant_type=", "invalid_request"),
    ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
    ("grant_type=password&grant_type=client_credentials", "invalid_request"),
    ("grant_type=client_credentials&scope=read&scope=write", "invalid_request"),
    ("grant_type=client_credentials&unknown=1&unknown=2", "invalid_request"),
    ("grant_type=client_credentials&scope=%zz", "invalid_request"),
    ("grant_type=client_credentials&scope=%2", "invalid_request"),
    ("grant_type=client_credentials&scope=%", "invalid_request"),
    ("grant_type=client_credentials&scope=a%00b", "invalid_request"),
    ("grant_type=client_credentials&scope=a\u{0}b", "invalid_request"),
    ("grant_type=client_credentials&scope=%ff%fe", "invalid_request"),
    ("grant_type=unheard_of", "unsupported_grant_type"),
    ("grant_type=password&username=alice&password=x", "unsupported_grant_type"),
    ("grant_type=implicit", "unsupported_grant_type"),
    ("grant_type=client_credentials&scope=admin", "invalid_scope"),
    ("grant_type=client_credentials&scope=re%22ad", "invalid_scope"),
    ("grant_type=client_credentials&scope=read++write", "invalid_scope"),
    ("grant_type=client_credentials&resource=https://elsewhere.example", "invalid_target"),
    ("grant_type=client_credentials&resource=relative", "invalid_target"),
    ("grant_type=client_credentials&resource=https://api.example/photos%23f", "invalid_target"),
    ("grant_type=authorization_code", "invalid_request"),
    ("grant_type=authorization_code&code=garbage", "invalid_grant"),
    ("grant_type=refresh_token", "invalid_request"),
    ("grant_type=refresh_token&refresh_token=garbage", "invalid_grant"),
  ]

  @Test("RFC 6749 §5.2: a bad form gets its exact error, status 400 and no-store", arguments: refusedForms)
  func badForm(_ body: String, _ error: String) async throws {
    let server = try await Fixture.server()
    let response = await server.token.respond(to: server.raw(body, as: Fixture.web, secret: Fixture.secret))
    #expect(response.errorCode == error)
    #expect(response.status == 400)
    #expect(response["Cache-Control"] == "no-store")
    #expect(response["Pragma"] == "no-cache")
    let description = try #require(response.json["error_description"]?.string)
    #expect(description.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c })
    #expect(server.store.operationCount == 0)
  }

  @Test(
    "RFC 6749 §3.2: only application/x-www-form-urlencoded is read",
    arguments: [
      nil, "", "application/json", "multipart/form-data", "application/x-www-form-urlencoded-not",
      "application/x-www-form-urlencoded; charset=utf-16", "text/plain",
    ])
  func contentType(_ contentType: String?) async throws {
    let server = try await Fixture.server()
    var request = server.form(["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret)
    request.contentType = contentType
    let response = await server.token.respond(to: request)
    #expect(response.status == 400)
    #expect(response.errorCode == "invalid_request")
  }

  @Test("A megabyte of separators is refused before it is taken apart", arguments: [1 << 20, 60_000])
  func separators(_ count: Int) async throws {
    let server = try await Fixture.server()
    var request = server.form([:], as: Fixture.web.id, secret: Fixture.secret)
    request.body = [UInt8](repeating: UInt8(ascii: "&"), count: count)
    let response = await server.token.respond(to: request)
    #expect(response.status == 400)
    #expect(response.errorCode == "invalid_request")
  }

  @Test(
    "RFC 6749 §2.3.1: credentials in the URL are refused",
    arguments: [
      "client_id=web", "client_secret=x", "grant_type=client_credentials", "x=1&refresh_token=t", "%63ode=1", "a=%zz",
    ])
  func query(_ query: String) async throws {
    let server = try await Fixture.server()
    var request = server.form(["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret)
    request.query = query
    let response = await server.token.respond(to: request)
    #expect(response.status == 400)
    #expect(response.errorCode == "invalid_request")
  }

  @Test("Random bytes never yield a 5xx", arguments: 0..<64)
  func randomBodies(_ seed: Int) async throws {
    let server = try await Fixture.server()
    let random = SeededRandom(seed: UInt64(seed))
    for _ in 0..<32 {
      var request = server.form([:], as: Fixture.web.id, secret: Fixture.secret)
      let alphabet = Array("grant_type=code&refresh_token%00+%7f;\u{e9}client".utf8)
      request.body =
        Array("grant_type=authorization_code&code=".utf8)
        + random.bytes(Int(random.next() % 80)).map { seed % 2 == 0 ? $0 : alphabet[Int($0) % alphabet.count] }
      let response = await server.token.respond(to: request)
      #expect((400..<500).contains(response.status))
      #expect(response.errorCode != nil)
    }
  }

  // MARK: Who may ask

  @Test("RFC 6749 §4.4: a public client gets no client-credentials token")
  func publicClientCredentials() async throws {
    var client = Fixture.native
    client.grants.insert(.clientCredentials)
    let server = try await Fixture.server(clients: [client])
    let response = await server.requestToken(["grant_type": "client_credentials"], as: client.id)
    #expect(response.errorCode == "unauthorized_client")
    #expect(response.status == 400)
  }

  @Test("RFC 6749 §5.2: a grant the client is not registered for is unauthorized_client")
  func unregisteredGrant() async throws {
    var client = Fixture.web
    client.grants = [.authorizationCode]
    let server = try await Fixture.server(clients: [client])
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: client.id, secret: Fixture.secret)
    #expect(response.errorCode == "unauthorized_client")
  }

  // MARK: What goes out

  @Test("RFC 6749 §5.1, §4.4.3: client credentials yield a bearer token without a refresh token")
  func clientCredentials() async throws {
    let server = try await Fixture.server()
    let response = await server.requestToken(
      ["grant_type": "client_credentials", "scope": "read"], as: Fixture.web.id, secret: Fixture.secret)
    #expect(response.status == 200)
    #expect(response["Content-Type"] == "application/json")
    #expect(response["Cache-Control"] == "no-store")
    #expect(response["Pragma"] == "no-cache")
    #expect(response.json["token_type"] == "Bearer")
    #expect(response.json["expires_in"] == 600)
    #expect(response.json["scope"] == "read")
    #expect(response.refreshToken == nil)
    #expect(server.store.operationCount == 1)

    let facts = await server.introspect(try #require(response.accessToken))
    #expect(facts["active"] == true)
    #expect(facts["sub"] == "web")
    #expect(facts["client_id"] == "web")
  }

  @Test("RFC 6749 §3.3: without a scope the client gets all of its own, named in the answer")
  func defaultScope() async throws {
    let server = try await Fixture.server()
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret)
    #expect(response.json["scope"] == "read write")
  }

  @Test("RFC 6749 §3.2: a parameter without a value is as good as absent")
  func emptyValue() async throws {
    let server = try await Fixture.server()
    let response = await server.requestToken(
      ["grant_type": "client_credentials", "scope": "", "client_secret": ""], as: Fixture.web.id, secret: Fixture.secret
    )
    #expect(response.status == 200)
  }

  @Test("RFC 8707 §2.2: the resources asked for become the audience")
  func audience() async throws {
    let server = try await Fixture.server()
    let response = await server.requestToken(
      ["grant_type": "client_credentials", "resource": Fixture.resource], as: Fixture.web.id, secret: Fixture.secret)
    let facts = await server.introspect(try #require(response.accessToken))
    #expect(facts["aud"] == .array([.string(Fixture.resource)]))
  }

  @Test("A JWT without refresh token needs no statement")
  func statelessJWT() async throws {
    var client = Fixture.web
    client.accessTokenFormat = .jwt
    let server = try await Fixture.server(clients: [client])
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: client.id, secret: Fixture.secret)
    #expect(response.status == 200)
    #expect(server.store.operationCount == 0)
  }

  @Test(
    "A client's own lifetime replaces the server's, and never passes the limit",
    arguments: [
      (Duration.seconds(60), Int64(60)), (Duration.seconds(1_000_000), Int64(86_400)),
    ])
  func lifetime(_ lifetime: Duration, _ seconds: Int64) async throws {
    var client = Fixture.web
    client.accessTokenLifetime = lifetime
    let server = try await Fixture.server(clients: [client])
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: client.id, secret: Fixture.secret)
    #expect(response.json["expires_in"] == .integer(seconds))
  }

  @Test("A store that does not answer is 503 with Retry-After, for opaque tokens")
  func storeDown() async throws {
    let server = try await Fixture.server()
    server.store.failure = .unavailable
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret)
    #expect(response.status == 503)
    #expect(response.errorCode == "temporarily_unavailable")
    #expect(response["Retry-After"] == "1")
    #expect(response["Cache-Control"] == "no-store")
  }

  @Test("Issuing and refusing are audited, without any token")
  func audit() async throws {
    let server = try await Fixture.server()
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret)
    _ = await server.requestToken(["grant_type": "password"], as: Fixture.web.id, secret: Fixture.secret)
    let events = server.audit.events
    #expect(events.map(\.kind) == [.tokenIssued, .tokenRefused])
    #expect(events[0].subject == Subject("web"))
    #expect(events[1].error == .unsupportedGrantType)
    let token = try #require(response.accessToken)
    #expect(!"\(events)".contains(token))
    #expect(!"\(events)".contains(Fixture.secret))
  }
}
