import OAuthCore
import PosternTesting
import Testing

@Suite struct AuthorizationEndpointTests {
  /// A good request of the web client, with some parameters replaced; nil removes one.
  private func query(_ changes: KeyValuePairs<String, String?> = [:], appending extra: String = "") -> [UInt8] {
    var pairs: [(name: String, value: String)] = [
      ("response_type", "code"), ("client_id", "web"), ("redirect_uri", Fixture.callback), ("scope", "read"),
      ("state", "xyz"), ("code_challenge", Fixture.challenge), ("code_challenge_method", "S256"),
    ]
    for (name, value) in changes {
      pairs.removeAll { $0.name == name }
      if let value { pairs.append((name, value)) }
    }
    return Array((PercentEncoding.form(pairs) + extra).utf8)
  }

  private func consenting(_ server: ServerUnderTest) async throws -> BrowserSession {
    try await server.consents.allow(["read", "write"], to: Fixture.web.id, by: Fixture.alice, at: server.clock.now)
    return server.session(of: Fixture.alice)
  }

  private func error(_ step: AuthorizationStep) -> String? {
    guard case .redirect(let url) = step else { return nil }
    return Redirect(url)["error"]
  }

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
    var bytes = query()
    for (name, value) in changes { bytes = query([name: value]) }
    let step = await server.authorization.respond(to: bytes, session: try await consenting(server))
    guard case .errorPage(let page) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(page.status == 400)
  }

  @Test(
    "RFC 6749 §3.1: a repeated client_id or redirect_uri, and a broken query, are told to the person",
    arguments: [
      "&client_id=web", "&client_id=other", "&redirect_uri=https%3A%2F%2Fevil.example", "&x=%zz", "&x=%00", "&x=%ff",
      String(repeating: "&", count: 70), "&x=" + String(repeating: "a", count: 20_000),
    ])
  func brokenQuery(_ extra: String) async throws {
    let server = try await Fixture.server()
    let step = await server.authorization.respond(to: query(appending: extra), session: nil)
    guard case .errorPage = step else {
      Issue.record("\(step)")
      return
    }
  }

  @Test("RFC 6749 §3.1.2.3: a client with several redirect URIs must name one")
  func ambiguousRedirect() async throws {
    var client = Fixture.web
    client.redirectURIs.append("https://web.example/second")
    let server = try await Fixture.server(clients: [client])
    let step = await server.authorization.respond(to: query(["redirect_uri": nil]), session: nil)
    guard case .errorPage = step else {
      Issue.record("\(step)")
      return
    }
  }

  @Test("A directory that does not answer is an error page with 503")
  func directoryDown() async throws {
    let server = try await Fixture.server()
    server.clients.failure = .unavailable
    let step = await server.authorization.respond(to: query(), session: nil)
    guard case .errorPage(let page) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(page.status == 503)
  }

  @Test("RFC 6749 §4.1.2.1: when consents cannot be read a person gets a page to reload, a silent request its client's answer")
  func consentsDown() async throws {
    let server = try await Fixture.server()
    server.consents.failure = .unavailable
    let session = server.session(of: Fixture.alice)
    guard case .errorPage(let page) = await server.authorization.respond(to: query(), session: session) else {
      Issue.record("a person was sent away")
      return
    }
    #expect(page.status == 503)
    let silent = await server.authorization.respond(to: query(["prompt": "none"]), session: session)
    guard case .redirect(let url) = silent else {
      Issue.record("\(silent)")
      return
    }
    #expect(Redirect(url)["error"] == "temporarily_unavailable")
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
    let step = await server.authorization.respond(
      to: query(changes, appending: extra), session: try await consenting(server))
    guard case .redirect(let url) = step else {
      Issue.record("\(step)")
      return
    }
    let redirect = Redirect(url)
    #expect(redirect.base == Fixture.callback)
    #expect(redirect["error"] == expected)
    #expect(redirect["state"] == "xyz")
    #expect(redirect["iss"] == ServerUnderTest.issuer)
    #expect(redirect["code"] == nil)
  }

  @Test("RFC 6749 §3.1: a repeated state is an error, and none is returned")
  func repeatedState() async throws {
    let server = try await Fixture.server()
    let step = await server.authorization.respond(to: query(appending: "&state=abc"), session: nil)
    guard case .redirect(let url) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(Redirect(url)["error"] == "invalid_request")
    #expect(Redirect(url)["state"] == nil)
  }

  @Test("RFC 6749 §4.1.2.1: a client without the grant is told unauthorized_client")
  func unauthorizedClient() async throws {
    var client = Fixture.web
    client.grants = [.clientCredentials]
    let server = try await Fixture.server(clients: [client])
    #expect(error(await server.authorization.respond(to: query(), session: nil)) == "unauthorized_client")
  }

  @Test("RFC 9700 §2.1.1: a public client cannot do without PKCE, whatever the server's rule")
  func publicClientNeedsPKCE() async throws {
    let server = try await Fixture.server(proofKeyRule: .publicClients)
    let bytes = query([
      "client_id": "native", "redirect_uri": "http://127.0.0.1:5000/callback", "code_challenge": nil,
      "code_challenge_method": nil,
    ])
    #expect(error(await server.authorization.respond(to: bytes, session: nil)) == "invalid_request")
  }

  @Test("RFC 6749 §4.1.2.1: a resource owner who says no is access_denied, and no code exists")
  func deny() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    guard case .needsConsent(let request, _) = await server.authorization.respond(to: query(), session: session) else {
      Issue.record("no consent asked")
      return
    }
    let step = server.authorization.deny(request)
    #expect(error(step) == "access_denied")
    #expect(server.audit.events.map(\.kind) == [.consentDenied])
  }

  // MARK: state

  @Test(
    "RFC 6749 §4.1.2: state comes back byte for byte",
    arguments: [
      "xyz", "a b+c&d=e%20", "%2B%00".replacing("%00", with: "%01"), "é\u{301}e\u{301}", "\u{037e}", "'\"<script>",
      "~-._",
      String(repeating: "s", count: 4096),
    ])
  func state(_ state: String) async throws {
    let server = try await Fixture.server()
    let step = await server.authorization.respond(to: query(["state": state]), session: try await consenting(server))
    guard case .redirect(let url) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(Redirect(url)["state"].map { Array($0.utf8) } == Array(state.utf8))
    #expect(url.utf8.allSatisfy { (0x21...0x7e).contains($0) })
  }

  @Test("RFC 6749 §4.1.1: state is optional, and none is made up")
  func noState() async throws {
    let server = try await Fixture.server()
    let step = await server.authorization.respond(to: query(["state": nil]), session: try await consenting(server))
    guard case .redirect(let url) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(!Redirect(url).form.contains("state"))
    #expect(Redirect(url)["code"] != nil)
  }

  // MARK: Sign-in and consent

  @Test("Who is not signed in is asked to; with prompt=none the client is told login_required")
  func signIn() async throws {
    let server = try await Fixture.server()
    guard case .needsSignIn = await server.authorization.respond(to: query(), session: nil) else {
      Issue.record("no sign-in asked")
      return
    }
    #expect(error(await server.authorization.respond(to: query(["prompt": "none"]), session: nil)) == "login_required")
  }

  @Test("OpenID Connect Core §3.1.2.1: prompt=none without consent is consent_required")
  func silentWithoutConsent() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    #expect(
      error(await server.authorization.respond(to: query(["prompt": "none"]), session: session)) == "consent_required")
  }

  @Test("Only what was not allowed before is asked for, and prompt=consent asks again for all")
  func missingScopes() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    try await server.consents.allow(["read"], to: Fixture.web.id, by: Fixture.alice, at: server.clock.now)
    guard
      case .needsConsent(_, let missing) = await server.authorization.respond(
        to: query(["scope": "read write"]), session: session),
      case .needsConsent(_, let all) = await server.authorization.respond(
        to: query(["prompt": "consent"]), session: session)
    else {
      Issue.record("no consent asked")
      return
    }
    #expect(missing == ["write"])
    #expect(all == ["read"])
  }

  @Test("OpenID Connect Core §3.1.2.1: prompt=login and max_age ask for a new sign-in, once")
  func reauthentication() async throws {
    let server = try await Fixture.server()
    let session = try await consenting(server)
    server.clock.advance(by: .seconds(100))
    for changes in [["prompt": "login"], ["prompt": "select_account"], ["max_age": "99"], ["max_age": "0"]]
      as [[String: String]]
    {
      let (name, value) = try #require(changes.first)
      guard
        case .needsSignIn(let request) = await server.authorization.respond(to: query([name: value]), session: session)
      else {
        Issue.record("no sign-in asked: \(name)")
        continue
      }
      let signedIn = server.session(of: Fixture.alice)
      let step = await server.authorization.resume(
        server.authorization.seal(request, session: signedIn), session: signedIn)
      #expect(error(step) == nil)
      guard case .redirect(let url) = step else {
        Issue.record("asked twice: \(name)")
        continue
      }
      #expect(Redirect(url)["code"] != nil)
    }
    let young = await server.authorization.respond(to: query(["max_age": "100"]), session: session)
    guard case .redirect = young else {
      Issue.record("asked although young enough")
      return
    }
  }

  @Test("Approving mints a code that redeems; authorizing writes no row")
  func approve() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    guard
      case .needsConsent(let request, let missing) = await server.authorization.respond(to: query(), session: session)
    else {
      Issue.record("no consent asked")
      return
    }
    let step = try await server.authorization.approve(request, session: session) { () async throws(StoreFailure) in
      try await server.consents.allow(missing, to: request.client, by: Fixture.alice, at: server.clock.now)
    }
    guard case .redirect(let url) = step else {
      Issue.record("no redirect")
      return
    }
    #expect(server.store.operationCount == 0)
    #expect(await server.redeem(try #require(Redirect(url)["code"])).status == 200)
  }

  @Test("Approving needs somebody who is signed in, and a client that is still there; else nothing is remembered")
  func approveGuards() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    guard case .needsConsent(let request, _) = await server.authorization.respond(to: query(), session: session) else {
      Issue.record("no consent asked")
      return
    }
    var anonymous = session
    anonymous.subject = nil
    let remember = { () async throws(StoreFailure) -> Void in
      Issue.record("remembered")
    }
    guard
      case .needsSignIn = try await server.authorization.approve(request, session: anonymous, remember: remember)
    else {
      Issue.record("a code for nobody")
      return
    }
    var changed = Fixture.web
    changed.isDisabled = true
    server.clients.set(changed)
    guard case .errorPage = try await server.authorization.approve(request, session: session, remember: remember) else {
      Issue.record("a code for a disabled client")
      return
    }
  }

  // MARK: Redirects that work

  @Test("RFC 6749 §3.1.2: the redirect URI's own query is kept")
  func ownQuery() async throws {
    var client = Fixture.web
    client.redirectURIs = ["https://web.example/callback?tenant=7"]
    let server = try await Fixture.server(clients: [client])
    let bytes = query(["redirect_uri": client.redirectURIs[0]])
    let step = await server.authorization.respond(to: bytes, session: try await consenting(server))
    guard case .redirect(let url) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(url.hasPrefix("https://web.example/callback?tenant=7&code="))
  }

  @Test("RFC 8252 §7.3: a native app gets its code on the port it listens on")
  func loopbackPort() async throws {
    let server = try await Fixture.server()
    try await server.consents.allow(["read"], to: Fixture.native.id, by: Fixture.alice, at: server.clock.now)
    let bytes = query(["client_id": "native", "redirect_uri": "http://127.0.0.1:51004/callback"])
    let step = await server.authorization.respond(to: bytes, session: server.session(of: Fixture.alice))
    guard case .redirect(let url) = step, let code = Redirect(url)["code"] else {
      Issue.record("\(step)")
      return
    }
    #expect(Redirect(url).base == "http://127.0.0.1:51004/callback")
    #expect(await server.redeem(code, as: Fixture.native, redirectURI: "http://127.0.0.1:51005/callback").status == 400)
    #expect(await server.redeem(code, as: Fixture.native, redirectURI: "http://127.0.0.1:51004/callback").status == 200)
  }

  @Test("RFC 6749 §4.1.3: a redirect URI that was not named need not be named again")
  func defaultRedirect() async throws {
    let server = try await Fixture.server()
    let step = await server.authorization.respond(
      to: query(["redirect_uri": nil]), session: try await consenting(server))
    guard case .redirect(let url) = step, let code = Redirect(url)["code"] else {
      Issue.record("\(step)")
      return
    }
    let response = await server.token.respond(
      to: server.raw(
        "grant_type=authorization_code&code=\(code)&code_verifier=\(Fixture.verifier)", as: Fixture.web,
        secret: Fixture.secret))
    #expect(response.status == 200)
  }

  @Test("RFC 6749 §3.3: without a scope the client's whole scope is asked for")
  func defaultScope() async throws {
    let server = try await Fixture.server()
    let step = await server.authorization.respond(to: query(["scope": nil]), session: server.session(of: Fixture.alice))
    guard case .needsConsent(let request, _) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(request.scope == ["read", "write"])
  }

  // MARK: Across pages

  @Test("A sealed request opens for its own session, within 30 minutes, unaltered, and says the same")
  func sealed() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    let bytes = query([
      "resource": Fixture.resource, "nonce": "n-1", "prompt": "login consent", "max_age": "60", "state": "é&=",
    ])
    guard case .needsSignIn(let request) = await server.authorization.respond(to: bytes, session: nil) else {
      Issue.record("no sign-in asked")
      return
    }
    let text = server.authorization.seal(request, session: session)
    #expect(server.authorization.open(text, session: session) == request)
    #expect(server.authorization.open(text, session: server.session(of: Fixture.alice)) == nil)
    #expect(server.authorization.open(text + "A", session: session) == nil)
    #expect(server.authorization.open(String(text.dropLast(4)), session: session) == nil)
    #expect(server.authorization.open("", session: session) == nil)
    server.clock.advance(by: .seconds(30 * 60))
    #expect(server.authorization.open(text, session: session) == nil)
    guard case .errorPage = await server.authorization.resume(text, session: session) else {
      Issue.record("a stale request went on")
      return
    }
  }
}
