import HTTPWire
import JSON
import OAuthCore
import Testing

@testable import GatewayServer

struct AuthorizationFlowTests {
  private let server: TestServer
  private let browser: TestBrowser

  init() async throws {
    server = try await TestServer()
    browser = TestBrowser(server)
  }

  @Test("RFC 6749 §4.1: sign in, allow, and the client redeems the code it gets")
  func wholeFlow() async throws {
    await browser.get(server.authorizationRequest())
    #expect(browser.response.status == 200 && browser.page.contains("<h1>Sign in</h1>"))
    await browser.signIn()
    #expect(browser.response.status == 200 && browser.page.contains("See your photos"))
    await browser.allow()
    #expect(browser.response.status == 303)
    #expect(browser.location?.hasPrefix("https://printmypics.example/callback?") == true)

    let client = TestBrowser(server)
    await client.post("/oauth/token", [
      "grant_type": "authorization_code", "client_id": "printmypics", "code": try #require(browser.answer["code"]),
      "redirect_uri": "https://printmypics.example/callback", "code_verifier": TestServer.verifier,
    ])
    #expect(client.response.status == 200)
    #expect(try JSON(parsing: client.response.body).object?["scope"] == "photos.read")
  }

  @Test(
    "RFC 6749 §4.1.2, RFC 9207 §2: the answer carries state byte for byte and the issuer, allowed or denied",
    arguments: ["approve", "deny"])
  func stateAndIssuer(decision: String) async {
    let state = "a b+c%20&=/?#é\"'<script>~"
    await browser.get(server.authorizationRequest(["state": state]))
    await browser.signIn()
    await browser.submit("/consent", ["decision": decision])
    #expect(browser.answer["state"] == state)
    #expect(browser.answer["iss"] == server.issuer)
  }

  @Test("RFC 6749 §4.1.2.1: deny is access_denied, and nothing is remembered")
  func deny() async throws {
    await browser.get(server.authorizationRequest())
    await browser.signIn()
    await browser.submit("/consent", ["decision": "deny"])
    #expect(browser.answer["error"] == "access_denied" && browser.answer["code"] == nil)
    #expect(try await server.consents.consents(of: Subject("alice-id")).isEmpty)
  }

  @Test("neither button pressed is not a yes", arguments: [[:], ["decision": "maybe"]])
  func noDecision(fields: [String: String]) async throws {
    await browser.get(server.authorizationRequest())
    await browser.signIn()
    await browser.submit("/consent", fields)
    #expect(browser.response.status == 400 && browser.location == nil)
    #expect(try await server.consents.consents(of: Subject("alice-id")).isEmpty)
  }

  @Test("a yes to a request that must be signed in to again is not remembered: nobody saw what it allows")
  func yesBeforeSignIn() async throws {
    await browser.get("/login")
    await browser.signIn()
    server.clock.advance(by: .seconds(1))
    await browser.get(server.authorizationRequest(["prompt": "login"]))
    #expect(browser.page.contains("Confirm that it is you"))
    await browser.post("/consent", browser.hiddenFields(of: "/login").merging(["decision": "approve"]) { $1 })
    #expect(browser.page.contains("Confirm that it is you") && browser.location == nil)
    #expect(try await server.consents.consents(of: Subject("alice-id")).isEmpty)
  }

  @Test("a yes to a client that was disabled or lost the scope while its page was shown is not remembered")
  func yesToChangedClient() async throws {
    let client = try #require(try await server.clients.client(ClientID("printmypics")))
    var (disabled, narrowed) = (client, client)
    disabled.isDisabled = true
    narrowed.scopes = ["albums.list"]
    await browser.get("/login")
    await browser.signIn()
    for changed in [disabled, narrowed] {
      server.clients.set(client)
      await browser.get(server.authorizationRequest())
      server.clients.set(changed)
      await browser.allow()
      #expect(browser.response.status == 400 && browser.location == nil)
      #expect(try await server.consents.consents(of: Subject("alice-id")).isEmpty)
    }
  }

  @Test("RFC 6749 §4.1.1: state is optional, and none is made up")
  func noState() async {
    await browser.get(server.authorizationRequest(["state": nil]))
    await browser.signIn()
    await browser.allow()
    #expect(browser.answer["code"] != nil && browser.answer["state"] == nil)
  }

  @Test("consent is remembered per client and scope: the second time no page is shown")
  func remembered() async {
    await browser.get(server.authorizationRequest())
    await browser.signIn()
    await browser.allow()
    await browser.get(server.authorizationRequest(["state": "again"]))
    #expect(browser.response.status == 303 && browser.answer["code"] != nil && browser.answer["state"] == "again")
  }

  @Test("a wider scope is asked for again, and what was allowed before is shown apart")
  func wider() async {
    await browser.get(server.authorizationRequest())
    await browser.signIn()
    await browser.allow()
    await browser.get(server.authorizationRequest(["scope": "photos.read albums.list"]))
    #expect(browser.page.contains("<li>albums.list</li>"))
    #expect(browser.page.contains("What you allowed before"))
    await browser.allow()
    #expect(browser.answer["code"] != nil)
  }

  @Test("OpenID Connect Core §3.1.2.6: prompt=none shows no page, it answers login_required or consent_required")
  func promptNone() async {
    await browser.get(server.authorizationRequest(["prompt": "none"]))
    #expect(browser.answer["error"] == "login_required" && browser.answer["state"] == "xyz")
    await browser.get("/login")
    await browser.signIn()
    await browser.get(server.authorizationRequest(["prompt": "none"]))
    #expect(browser.answer["error"] == "consent_required" && browser.answer["iss"] == server.issuer)
  }

  @Test("OpenID Connect Core §3.1.2.1: prompt=login and an exceeded max_age ask for the password again, once", arguments: [
    ["prompt": "login"], ["max_age": "60"],
  ])
  func reauthentication(parameters: [String: String]) async {
    await browser.get(server.authorizationRequest())
    await browser.signIn()
    await browser.allow()
    server.clock.advance(by: .seconds(61))
    await browser.get(server.authorizationRequest(parameters.mapValues { $0 }))
    #expect(browser.page.contains("Confirm that it is you") && browser.page.contains("value=\"alice\""))
    await browser.signIn()
    #expect(browser.response.status == 303 && browser.answer["code"] != nil)
  }

  @Test(
    "RFC 6749 §4.1.2.1: without a good client and redirect URI there is a page and no redirect",
    arguments: [
      ["redirect_uri": "https://evil.example/callback"], ["redirect_uri": "https://printmypics.example/callback/../evil"],
      ["redirect_uri": "https://printmypics.example/callback?x=1"], ["redirect_uri": "javascript:alert(1)"],
      ["client_id": "nobody"], ["client_id": nil],
    ] as [[String: String?]])
  func noOpenRedirect(changes: [String: String?]) async {
    for signsIn in [false, true] {
      if signsIn {
        await browser.get("/login")
        await browser.signIn()
      }
      await browser.get(server.authorizationRequest(changes))
      #expect(browser.response.status == 400)
      #expect(browser.location == nil && browser.response.fields["Refresh"] == nil)
      #expect(!browser.page.contains("<form") && !browser.page.contains("href=\"http"))
    }
  }

  @Test("OpenID Connect Core §3.1.2.1: an authorization request may be posted, also from the client's site")
  func posted() async {
    await browser.get("/login")
    await browser.signIn()
    let query = server.authorizationRequest().split(separator: "?")[1]
    let form = try? FormDecoder.decode(Array(query.utf8))
    await browser.post(
      "/oauth/authorize", Dictionary(uniqueKeysWithValues: form?.pairs.map { ($0.name, $0.value) } ?? []),
      header: ["Origin": "https://printmypics.example", "Sec-Fetch-Site": "cross-site"])
    #expect(browser.response.status == 200 && browser.page.contains("Allow PrintMyPics"))
  }

  @Test("a pending request belongs to one browser: another one cannot go on with it")
  func pendingIsBound() async {
    await browser.get(server.authorizationRequest())
    let stolen = browser.hiddenFields(of: "/login")["request"]
    let thief = TestBrowser(server)
    await thief.get("/login")
    await thief.submit("/login", ["username": "bob", "password": TestServer.password, "request": stolen ?? ""])
    #expect(thief.response.status == 400)
    await thief.get("/consent?request=\(stolen ?? "")")
    #expect(thief.response.status == 400 && thief.location == nil)
  }

  @Test("a request too long for an address goes on without one")
  func longRequest() async {
    let state = String(repeating: "s", count: 4096)
    await browser.get(server.authorizationRequest(["redirect_uri": TestServer.longRedirectURI, "state": state]))
    await browser.signIn()
    #expect(browser.page.contains("Allow PrintMyPics"))
    await browser.allow()
    #expect(browser.answer["code"] != nil && browser.answer["state"] == state)
    #expect(browser.history.dropFirst().allSatisfy { $0.utf8.count < 8 * 1024 })
  }

  @Test("a pending request that was left lying for half an hour is told to be started again")
  func expiredRequest() async {
    await browser.get(server.authorizationRequest())
    await browser.signIn()
    server.clock.advance(by: .seconds(30 * 60))
    await browser.allow()
    #expect(browser.response.status == 400 && browser.location == nil)
    #expect(browser.page.contains("This sign-in has expired"))
  }

  @Test("another account can be used without losing the request")
  func anotherAccount() async throws {
    await browser.get(server.authorizationRequest())
    await browser.signIn("bob")
    await browser.submit("/logout")
    #expect(browser.page.contains("to continue to <strong>PrintMyPics</strong>"))
    await browser.signIn("alice")
    #expect(browser.page.contains("<dd>alice</dd>"))
    await browser.allow()
    #expect(browser.answer["code"] != nil)
    #expect(try await server.consents.consents(of: Subject("bob-id")).isEmpty)
  }

  @Test("CSP: only the forms of a pending request may lead away, since the client's own redirects follow them")
  func formAction() async {
    await browser.get(server.authorizationRequest())
    #expect(browser.response.fields["Content-Security-Policy"]?.contains("form-action 'self' https:;") == true)
    await browser.get("/login")
    #expect(browser.response.fields["Content-Security-Policy"]?.contains("form-action 'self';") == true)
  }

  @Test("no password, code or token is ever in an address of ours or in a page")
  func noSecretsInAddresses() async {
    await browser.get(server.authorizationRequest())
    await browser.signIn(password: "wrong secret")
    #expect(!browser.page.contains("wrong secret"))
    await browser.signIn()
    #expect(!browser.page.contains(TestServer.password))
    await browser.allow()
    #expect(browser.history.allSatisfy { !$0.contains("password") && !$0.contains("code=") && !$0.contains("pss_") })
  }

  @Test("when the store does not answer, the browser gets a page with 503 and Retry-After")
  func outage() async {
    server.clients.failure = .unavailable
    await browser.get(server.authorizationRequest())
    #expect(browser.response.status == 503)
    #expect(browser.response.fields["Retry-After"] == "1")
    #expect(browser.page.contains("Please try again soon"))
  }
}
