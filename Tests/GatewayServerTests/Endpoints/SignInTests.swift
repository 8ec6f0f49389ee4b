import HTTPWire
import OAuthCore
import Testing

@testable import GatewayServer

struct SignInTests {
  private let server: TestServer
  private let browser: TestBrowser

  init() async throws {
    server = try await TestServer()
    browser = TestBrowser(server)
  }

  private var cookie: String? { browser.cookies["__Host-postern"] }
  private var isSignedIn: Bool { browser.page.contains("<h1>Your account</h1>") }

  // MARK: Forged forms

  @Test("a form without CSRF token, or with a garbled one, changes nothing", arguments: [nil, "", "AAAA", "x y"])
  func missingToken(token: String?) async {
    await browser.get("/login")
    var fields = ["username": "alice", "password": TestServer.password]
    fields["csrf"] = token
    await browser.post("/login", fields)
    #expect(browser.response.status == 403)
    await browser.get("/account")
    #expect(!isSignedIn)
  }

  @Test("login CSRF: a stranger's form, with a token of the stranger's own browser, signs nobody in")
  func foreignToken() async {
    let attacker = TestBrowser(server)
    await attacker.get("/login")
    await browser.get("/login")
    await browser.submit(
      "/login", ["username": "bob", "password": TestServer.password, "csrf": attacker.hiddenFields(of: "/login")["csrf"] ?? ""])
    #expect(browser.response.status == 403)

    let cookieless = TestBrowser(server)
    await cookieless.post(
      "/login", ["username": "bob", "password": TestServer.password, "csrf": attacker.hiddenFields(of: "/login")["csrf"] ?? ""])
    #expect(cookieless.response.status == 403 && cookieless.cookies.isEmpty)
  }

  @Test("a CSRF token from before sign-in is worth nothing after it, and one from before sign-out nothing after that")
  func replayedToken() async {
    await browser.get("/login")
    let before = browser.hiddenFields(of: "/login")["csrf"] ?? ""
    await browser.signIn()
    let during = browser.hiddenFields(of: "/logout")["csrf"] ?? ""
    await browser.post("/logout", ["csrf": before])
    #expect(browser.response.status == 403)
    await browser.post("/logout", ["csrf": during])
    #expect(browser.page.contains("You are signed out."))
    await browser.post("/login", ["csrf": during, "username": "alice", "password": TestServer.password])
    #expect(browser.response.status == 403)
  }

  @Test(
    "a form that the browser says comes from another site is refused, even with the right token",
    arguments: [["Origin": "https://evil.example"], ["Sec-Fetch-Site": "cross-site"], ["Sec-Fetch-Site": "same-site"]] as [HTTPFields])
  func foreignSite(header: HTTPFields) async {
    await browser.get("/login")
    var fields = browser.hiddenFields(of: "/login")
    fields["username"] = "alice"
    fields["password"] = TestServer.password
    await browser.post("/login", fields, header: header)
    #expect(browser.response.status == 403)
  }

  @Test(
    "what is not a form is not read as one",
    arguments: ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
  func contentType(type: String) async {
    await browser.get("/login")
    var fields = browser.hiddenFields(of: "/login")
    fields["username"] = "alice"
    fields["password"] = TestServer.password
    await browser.post("/login", fields, header: ["Content-Type": type])
    #expect(browser.response.status == 400)
  }

  @Test(
    "RFC 9110 §15.5.6: of a page that does not answer a method, the answer names those it does",
    arguments: ["/login", "/consent", "/account", "/logout", "/oauth/authorize"])
  func methods(path: String) async {
    let response = await server.respond(to: HTTPRequest(method: "DELETE", path: path))
    #expect(response.status == 405)
    #expect(response.fields["Allow"]?.contains("POST") == true)
  }

  // MARK: Sessions

  @Test("session fixation: the session id changes at sign-in, and the planted one stays a stranger's")
  func fixation() async throws {
    let attacker = TestBrowser(server)
    await attacker.get("/login")
    let planted = attacker.cookies
    browser.plant(planted)
    await browser.get("/login")
    await browser.signIn()
    #expect(isSignedIn && browser.cookies != planted)
    await attacker.get("/account")
    #expect(attacker.page.contains("<h1>Sign in</h1>"))
  }

  @Test("signing in again ends the session before it")
  func replacement() async {
    await browser.get("/login")
    await browser.signIn()
    let first = browser.cookies
    server.clock.advance(by: .seconds(1))
    await browser.get(server.authorizationRequest(["prompt": "login"]))
    await browser.signIn()
    #expect(browser.cookies != first)
    let thief = TestBrowser(server)
    thief.plant(first)
    await thief.get("/account")
    #expect(thief.page.contains("<h1>Sign in</h1>"))
  }

  @Test("signing out ends the session, not just the cookie")
  func signOut() async {
    await browser.get("/login")
    await browser.signIn()
    let before = browser.cookies
    await browser.submit("/logout")
    #expect(browser.page.contains("You are signed out."))
    let thief = TestBrowser(server)
    thief.plant(before)
    await thief.get("/account")
    #expect(thief.page.contains("<h1>Sign in</h1>"))
  }

  @Test("a session ends 12 hours after sign-in, however much it is used")
  func lifetime() async {
    await browser.get("/login")
    await browser.signIn()
    for _ in 0..<11 {
      server.clock.advance(by: .seconds(3600))
      await browser.get("/account")
      #expect(isSignedIn)
    }
    server.clock.advance(by: .seconds(3600))
    await browser.get("/account")
    #expect(!isSignedIn)
  }

  @Test("a disabled account's session is worth nothing at once")
  func disabledAccount() async throws {
    await browser.get("/login")
    await browser.signIn()
    var account = try #require(try await server.accounts.account(username: "alice"))
    account.isDisabled = true
    server.accounts.set(account)
    await browser.get("/account")
    #expect(!isSignedIn)
    await browser.signIn()
    #expect(browser.response.status == 403)
  }

  @Test("a cookie that this server did not make, or that was altered, is a stranger's")
  func forgedCookie() async throws {
    await browser.get("/login")
    await browser.signIn()
    let genuine = try #require(cookie)
    for forged in ["", "x", String(genuine.dropLast()), genuine.replacing("pss_", with: "pat_"), genuine + "A"] {
      let thief = TestBrowser(server)
      thief.plant(["__Host-postern": forged])
      await thief.get("/account")
      #expect(thief.page.contains("<h1>Sign in</h1>"))
      #expect(thief.cookies["__Host-postern"] != forged)
    }
  }

  @Test("showing the sign-in page stores nothing: there is no row to fill the table with")
  func nothingStored() async throws {
    await browser.get("/login")
    let handle = try #require(cookie)
    #expect(handle.hasPrefix("pss_"))
    await browser.get("/login")
    #expect(cookie == handle, "the browser keeps the handle it has")
  }

  // MARK: Guessing

  @Test("an unknown user and a wrong password get the same answer")
  func enumeration() async {
    await browser.get("/login")
    await browser.signIn("alice", password: "wrong")
    let wrong = (browser.response.status, browser.page.replacing("alice", with: "NAME"))
    await browser.signIn("nobody", password: "wrong")
    #expect((browser.response.status, browser.page.replacing("nobody", with: "NAME")) == wrong)
    #expect(wrong.0 == 403)
  }

  @Test("RFC 6749 §10.10: guesses are limited per source address; waiting as told helps, and nobody else is locked out")
  func limits() async throws {
    await browser.get("/login")
    for _ in 0..<3 {
      await browser.signIn(password: "wrong")
      #expect(browser.response.status == 403)
    }
    await browser.signIn()
    #expect(browser.response.status == 429, "the right password tells nothing while guesses are limited")
    let seconds = try #require(browser.response.fields["Retry-After"].flatMap { Int($0) })
    #expect(browser.page.contains("Wait \(seconds) seconds"))

    let owner = TestBrowser(server)
    owner.remoteAddress = "198.51.100.7"
    await owner.get("/login")
    await owner.signIn()
    #expect(owner.page.contains("<h1>Your account</h1>"))

    server.clock.advance(by: .seconds(seconds))
    await browser.signIn()
    #expect(isSignedIn)
  }

  @Test("RFC 6749 §10.10: guesses are limited per account, from wherever they come")
  func limitPerAccount() async {
    for host in 1...6 {
      let guesser = TestBrowser(server)
      guesser.remoteAddress = "203.0.113.\(host)"
      await guesser.get("/login")
      await guesser.signIn(password: "wrong")
      #expect(guesser.response.status == 403)
    }
    await browser.get("/login")
    await browser.signIn(password: "wrong")
    #expect(browser.response.status == 429)
  }

  // MARK: Cookies and fields

  @Test("RFC 6265bis §4.1.3.2: under https the cookie is __Host-, Secure, HttpOnly, SameSite=Lax; on http loopback it has no prefix")
  func cookieAttributes() async throws {
    await browser.get("/login")
    let secure = try #require(browser.response.fields["Set-Cookie"])
    #expect(secure.hasPrefix("__Host-postern=pss_") && secure.hasSuffix("; Path=/; Secure; HttpOnly; SameSite=Lax"))

    let local = TestBrowser(try await TestServer(issuer: "http://127.0.0.1:8080"))
    await local.get("/login")
    let plain = try #require(local.response.fields["Set-Cookie"])
    #expect(plain.hasPrefix("postern=pss_") && plain.hasSuffix("; Path=/; HttpOnly; SameSite=Lax"))
    await local.signIn()
    #expect(local.page.contains("<h1>Your account</h1>"))
  }
}
