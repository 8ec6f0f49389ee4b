import OAuthCore
import PosternTesting
import Testing

@Suite struct AuthorizationRefusalTests {
  // MARK: Nobody may be redirected

  @Test(
    "RFC 6749 §4.1.2.1: without a trusted client and redirect URI the browser is not redirected",
    arguments: [
      ["client_id": nil], ["client_id": "nobody"], ["client_id": ""], ["client_id": "disabled"],
      ["client_id": "w\u{e9}b"],
      ["redirect_uri": "https://evil.example/"], ["redirect_uri": "https://web.example/callback/"],
      ["redirect_uri": "https://web.example.evil.example/callback"], ["redirect_uri": "javascript:alert(1)"],
      ["redirect_uri": "https://web.example/callback#x"],
    ] as [[String: String?]])
  func errorPage(_ changes: [String: String?]) async throws {
    var disabled = Fixture.web
    disabled.id = ClientID("disabled")
    disabled.isDisabled = true
    let server = try await Fixture.server(clients: [Fixture.web, disabled])
    var bytes = Fixture.authorization()
    for (name, value) in changes { bytes = Fixture.authorization([name: value]) }
    let step = await server.authorization.respond(to: bytes, session: try await server.consentingSession())
    #expect(step.errorStatus == 400)
  }

  @Test(
    "RFC 6749 §3.1: a repeated client_id or redirect_uri, and a broken query, are told to the person",
    arguments: [
      "&client_id=web", "&client_id=other", "&redirect_uri=https%3A%2F%2Fevil.example", "&x=%zz", "&x=%00", "&x=%ff",
      String(repeating: "&", count: 70), "&x=" + String(repeating: "a", count: 20_000),
    ])
  func brokenQuery(_ extra: String) async throws {
    let server = try await Fixture.server()
    let step = await server.authorize(appending: extra, session: nil)
    #expect(step.errorStatus != nil)
  }

  @Test("RFC 6749 §3.1.2.3: a client with several redirect URIs must name one")
  func ambiguousRedirect() async throws {
    var client = Fixture.web
    client.redirectURIs.append("https://web.example/second")
    let server = try await Fixture.server(clients: [client])
    let step = await server.authorize(["redirect_uri": nil], session: nil)
    #expect(step.errorStatus != nil)
  }

  @Test("A directory that does not answer is an error page with 503")
  func directoryDown() async throws {
    let server = try await Fixture.server()
    server.clients.failure = .unavailable
    let step = await server.authorize(session: nil)
    #expect(step.errorStatus == 503)
  }

  @Test("RFC 6749 §4.1.2.1: when consents cannot be read a person gets a page to reload, a silent request its client's answer")
  func consentsDown() async throws {
    let server = try await Fixture.server()
    server.consents.failure = .unavailable
    let session = server.session(of: Fixture.alice)
    #expect(await server.authorize(session: session).errorStatus == 503)
    #expect(await server.authorize(["prompt": "none"], session: session).error == "temporarily_unavailable")
  }

  // MARK: The client is told

  static let redirectedErrors: [(KeyValuePairs<String, String?>, String, String)] = [
    (["response_type": nil], "", "invalid_request"),
    (["response_type": "token"], "", "unsupported_response_type"),
    (["response_type": "code token"], "", "unsupported_response_type"),
    (["response_mode": "form_post"], "", "invalid_request"),
    (["response_mode": "fragment"], "", "invalid_request"),
    (["scope": "admin"], "", "invalid_scope"),
    (["scope": "read  write"], "", "invalid_scope"),
    (["code_challenge": nil], "", "invalid_request"),
    (["code_challenge": nil, "code_challenge_method": nil], "", "invalid_request"),
    (["code_challenge_method": "plain"], "", "invalid_request"),
    (["code_challenge_method": nil], "", "invalid_request"),
    (["code_challenge_method": "s256"], "", "invalid_request"),
    (["code_challenge": "short"], "", "invalid_request"),
    (["code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"], "", "invalid_request"),
    (["resource": "https://elsewhere.example"], "", "invalid_target"),
    (["resource": "not a uri"], "", "invalid_target"),
    (["prompt": "none login"], "", "invalid_request"),
    (["prompt": "create"], "", "invalid_request"),
    (["max_age": "-1"], "", "invalid_request"),
    (["max_age": "soon"], "", "invalid_request"),
    (["request": "eyJ"], "", "request_not_supported"),
    (["request_uri": "urn:x"], "", "request_uri_not_supported"),
    ([:], "&scope=write", "invalid_request"),
    ([:], "&code_challenge=x", "invalid_request"),
    ([:], "&unknown=1&unknown=2", "invalid_request"),
  ]

  @Test(
    "RFC 6749 §4.1.2.1, RFC 9207 §2: errors reach the client with state and iss", arguments: 0..<redirectedErrors.count)
  func redirectedError(_ index: Int) async throws {
    let (changes, extra, expected) = Self.redirectedErrors[index]
    let server = try await Fixture.server()
    let step = await server.authorize(changes, appending: extra, session: try await server.consentingSession())
    let redirect = try #require(step.redirect)
    #expect(redirect.base == Fixture.callback)
    #expect(redirect["error"] == expected)
    #expect(redirect["state"] == "xyz")
    #expect(redirect["iss"] == ServerUnderTest.issuer)
    #expect(redirect["code"] == nil)
  }

  @Test("RFC 6749 §3.1: a repeated state is an error, and none is returned")
  func repeatedState() async throws {
    let server = try await Fixture.server()
    let step = await server.authorize(appending: "&state=abc", session: nil)
    let redirect = try #require(step.redirect)
    #expect(redirect["error"] == "invalid_request")
    #expect(redirect["state"] == nil)
  }

  @Test("RFC 6749 §4.1.2.1: a client without the grant is told unauthorized_client")
  func unauthorizedClient() async throws {
    var client = Fixture.web
    client.grants = [.clientCredentials]
    let server = try await Fixture.server(clients: [client])
    #expect(await server.authorize(session: nil).error == "unauthorized_client")
  }

  @Test("RFC 9700 §2.1.1: a public client cannot do without PKCE, whatever the server's rule")
  func publicClientNeedsPKCE() async throws {
    let server = try await Fixture.server(proofKeyRule: .publicClients)
    let bytes = Fixture.authorization([
      "client_id": "native", "redirect_uri": "http://127.0.0.1:5000/callback", "code_challenge": nil,
      "code_challenge_method": nil,
    ])
    #expect(await server.authorization.respond(to: bytes, session: nil).error == "invalid_request")
  }

  @Test("RFC 6749 §4.1.2.1: a resource owner who says no is access_denied, and no code exists")
  func deny() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    guard case .needsConsent(let request, _) = await server.authorize(session: session) else {
      Issue.record("no consent asked")
      return
    }
    let step = server.authorization.deny(request)
    #expect(step.error == "access_denied")
    #expect(server.audit.events.map(\.kind) == [.consentDenied])
  }
}
