import OAuthCore
import PosternTesting
import Testing

@Suite struct AuthorizationEndpointTests {
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
    let step = await server.authorize(["state": state], session: try await server.consentingSession())
    let url = try #require(step.redirectURL)
    #expect(Redirect(url)["state"].map { Array($0.utf8) } == Array(state.utf8))
    #expect(url.utf8.allSatisfy { (0x21...0x7e).contains($0) })
  }

  @Test("RFC 6749 §4.1.1: state is optional, and none is made up")
  func noState() async throws {
    let server = try await Fixture.server()
    let step = await server.authorize(["state": nil], session: try await server.consentingSession())
    let redirect = try #require(step.redirect)
    #expect(!redirect.form.contains("state"))
    #expect(redirect["code"] != nil)
  }

  // MARK: Sign-in and consent

  @Test("Who is not signed in is asked to; with prompt=none the client is told login_required")
  func signIn() async throws {
    let server = try await Fixture.server()
    guard case .needsSignIn = await server.authorize(session: nil) else {
      Issue.record("no sign-in asked")
      return
    }
    #expect(await server.authorize(["prompt": "none"], session: nil).error == "login_required")
  }

  @Test("OpenID Connect Core §3.1.2.1: prompt=none without consent is consent_required")
  func silentWithoutConsent() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    #expect(await server.authorize(["prompt": "none"], session: session).error == "consent_required")
  }

  @Test("Only what was not allowed before is asked for, and prompt=consent asks again for all")
  func missingScopes() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    try await server.consents.allow(["read"], to: Fixture.web.id, by: Fixture.alice, at: server.clock.now)
    guard
      case .needsConsent(_, let missing) = await server.authorize(["scope": "read write"], session: session),
      case .needsConsent(_, let all) = await server.authorize(["prompt": "consent"], session: session)
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
    let session = try await server.consentingSession()
    server.clock.advance(by: .seconds(100))
    for changes in [["prompt": "login"], ["prompt": "select_account"], ["max_age": "99"], ["max_age": "0"]]
      as [[String: String]]
    {
      let (name, value) = try #require(changes.first)
      guard
        case .needsSignIn(let request) = await server.authorize([name: value], session: session)
      else {
        Issue.record("no sign-in asked: \(name)")
        continue
      }
      let signedIn = server.session(of: Fixture.alice)
      let step = await server.authorization.resume(
        server.authorization.seal(request, session: signedIn), session: signedIn)
      #expect(step.error == nil)
      guard case .redirect(let url) = step else {
        Issue.record("asked twice: \(name)")
        continue
      }
      #expect(Redirect(url)["code"] != nil)
    }
    let young = await server.authorize(["max_age": "100"], session: session)
    guard case .redirect = young else {
      Issue.record("asked although young enough")
      return
    }
  }

  @Test("Approving mints a code that redeems; authorizing writes no row")
  func approve() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    guard case .needsConsent(let request, let missing) = await server.authorize(session: session) else {
      Issue.record("no consent asked")
      return
    }
    let step = try await server.authorization.approve(request, session: session) { () async throws(StoreFailure) in
      try await server.consents.allow(missing, to: request.client, by: Fixture.alice, at: server.clock.now)
    }
    let redirect = try #require(step.redirect)
    #expect(server.store.operationCount == 0)
    #expect(await server.redeem(try #require(redirect["code"])).status == 200)
  }

  @Test("Approving needs somebody who is signed in, and a client that is still there; else nothing is remembered")
  func approveGuards() async throws {
    let server = try await Fixture.server()
    let session = server.session(of: Fixture.alice)
    guard case .needsConsent(let request, _) = await server.authorize(session: session) else {
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
    let bytes = Fixture.authorization(["redirect_uri": client.redirectURIs[0]])
    let step = await server.authorization.respond(to: bytes, session: try await server.consentingSession())
    let url = try #require(step.redirectURL)
    #expect(url.hasPrefix("https://web.example/callback?tenant=7&code="))
  }

  @Test("RFC 8252 §7.3: a native app gets its code on the port it listens on")
  func loopbackPort() async throws {
    let server = try await Fixture.server()
    try await server.consents.allow(["read"], to: Fixture.native.id, by: Fixture.alice, at: server.clock.now)
    let bytes = Fixture.authorization(["client_id": "native", "redirect_uri": "http://127.0.0.1:51004/callback"])
    let step = await server.authorization.respond(to: bytes, session: server.session(of: Fixture.alice))
    let redirect = try #require(step.redirect)
    let code = try #require(redirect["code"])
    #expect(redirect.base == "http://127.0.0.1:51004/callback")
    #expect(await server.redeem(code, as: Fixture.native, redirectURI: "http://127.0.0.1:51005/callback").status == 400)
    #expect(await server.redeem(code, as: Fixture.native, redirectURI: "http://127.0.0.1:51004/callback").status == 200)
  }

  @Test("RFC 6749 §4.1.3: a redirect URI that was not named need not be named again")
  func defaultRedirect() async throws {
    let server = try await Fixture.server()
    let step = await server.authorize(["redirect_uri": nil], session: try await server.consentingSession())
    let code = try #require(step.redirect?["code"])
    let response = await server.token.respond(
      to: server.raw(
        "grant_type=authorization_code&code=\(code)&code_verifier=\(Fixture.verifier)", as: Fixture.web,
        secret: Fixture.secret))
    #expect(response.status == 200)
  }

  @Test("RFC 6749 §3.3: without a scope the client's whole scope is asked for")
  func defaultScope() async throws {
    let server = try await Fixture.server()
    let step = await server.authorize(["scope": nil], session: server.session(of: Fixture.alice))
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
    let bytes = Fixture.authorization([
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
