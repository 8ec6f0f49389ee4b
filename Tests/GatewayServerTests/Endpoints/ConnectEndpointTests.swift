import Broker
import HTTPWire
import OAuthCore
import Testing

@testable import GatewayServer

@Suite("/connect")
struct ConnectEndpointTests {
  private static let key = ConnectionKey(provider: ProviderID("vault"), owner: .subject(Subject("alice-id")))

  private func signedIn(_ username: String = "alice", at server: TestServer) async -> TestBrowser {
    let browser = TestBrowser(server)
    await browser.get("/login")
    await browser.signIn(username)
    return browser
  }

  private func callback(_ state: String?, _ changes: [String: String?] = [:]) -> String {
    var parameters: [String: String?] = ["code": "c0de", "state": state, "iss": "https://vault.example"]
    parameters.merge(changes) { $1 }
    return "/connect/vault/callback?" + PercentEncoding.form(parameters.compactMap { name, value in value.map { (name, $0) } })
  }

  @Test("who is not signed in signs in first and then goes on to the provider, also after a wrong password")
  func signInFirst() async throws {
    let server = try await TestServer()
    let browser = TestBrowser(server)
    await browser.get("/connect/vault")
    #expect(browser.history.last == "/login?connect=vault")
    func leadsOn() -> Bool { browser.response.fields["Content-Security-Policy"]?.contains("form-action 'self' https:;") == true }
    #expect(leadsOn())
    await browser.signIn(password: "wrong")
    #expect(browser.response.status == 403 && leadsOn())
    await browser.signIn()
    #expect(browser.location?.hasPrefix("https://vault.example/authorize?") == true)
    #expect(browser.response.status == 303)
    #expect(browser.response.fields["Referrer-Policy"] == "no-referrer")
  }

  @Test("RFC 9700 §4.11: no form says where the browser goes after signing in", arguments: [
    "//evil.example", "https://evil.example", "../evil", "vault/callback", "..", "vault?x", "vault\r\nX: y", String(repeating: "v", count: 65),
  ])
  func noOpenRedirect(_ name: String) async throws {
    let server = try await TestServer()
    let browser = TestBrowser(server)
    await browser.get("/login?" + PercentEncoding.form([("connect", name)]))
    #expect(browser.response.status == 400)
    await browser.get("/login")
    await browser.submit("/login", ["username": "alice", "password": TestServer.password, "connect": name])
    #expect(browser.response.status == 400)
    #expect(browser.location == nil)
  }

  @Test("the account page shows what can be connected, is connected, and disconnects it")
  func wholeWay() async throws {
    let server = try await TestServer()
    let browser = await signedIn(at: server)
    #expect(browser.page.contains("Not connected"))
    await browser.get("/connect/vault")
    await browser.get(callback(browser.answer["state"]))
    #expect(browser.history.last == "/account?connected")
    #expect(browser.page.contains("Connected since"))
    #expect(!browser.page.contains("vault-access") && !browser.page.contains("vault-refresh"))
    #expect(server.connections[Self.key]?.state == .active)
    await browser.submit("/account/disconnect")
    #expect(browser.history.last == "/account?disconnected")
    #expect(browser.page.contains("Not connected"))
    #expect(server.connections[Self.key]?.state == .revoked)
    #expect(server.provider.requests.last?.url.target == "/revoke")
  }

  @Test("RFC 6749 §10.12: a bad, absent or used state, a foreign issuer and a no connect nothing and lead nowhere")
  func refusals() async throws {
    let server = try await TestServer()
    let browser = await signedIn(at: server)
    func refused(_ target: String, _ status: Int) async {
      await browser.get(target)
      #expect(browser.response.status == status, "\(target)")
      #expect(browser.location == nil)
      #expect(browser.page.contains("account page"))
    }
    func newState() async -> String? {
      await browser.get("/connect/vault")
      return browser.answer["state"]
    }
    await refused(callback("made-up"), 400)
    await refused(callback(nil), 400)
    await refused(callback(await newState(), ["iss": nil]), 400)
    await refused(callback(await newState(), ["iss": "https://evil.example"]), 400)
    await refused(callback(await newState(), ["code": nil, "error": "access_denied"]), 403)
    await refused(callback(await newState(), ["code": nil, "error": "server_error"]), 502)
    #expect(server.provider.requests.isEmpty)
    let used = await newState()
    await browser.get(callback(used))
    await refused(callback(used), 400)
    #expect(server.provider.requests.count == 1)
  }

  @Test("another user's browser, and one that signed in again, cannot complete a flow")
  func foreignSession() async throws {
    let server = try await TestServer()
    let alice = await signedIn(at: server)
    await alice.get("/connect/vault")
    let state = alice.answer["state"]
    let bob = await signedIn("bob", at: server)
    await bob.get(callback(state))
    #expect(bob.response.status == 400)
    let nobody = TestBrowser(server)
    await nobody.get(callback(state))
    #expect(nobody.response.status == 400)
    let again = await signedIn(at: server)
    await again.get(callback(state))
    #expect(again.response.status == 400)
    #expect(server.provider.requests.isEmpty)
    await alice.get(callback(state))
    #expect(alice.history.last == "/account?connected")
  }

  @Test("what is not configured, and what is not asked for by GET, begins nothing", arguments: [
    "/connect", "/connect/", "/connect/other", "/connect/vault/", "/connect/vault/callback/x", "/connect/vault/other",
  ])
  func unknown(_ path: String) async throws {
    let server = try await TestServer()
    let browser = await signedIn(at: server)
    await browser.get(path)
    #expect(browser.response.status == 404)
    // Nobody's form: only the page of a ticket has one.
    await browser.post("/connect/vault", [:])
    #expect(browser.response.status == 403)
  }

  @Test("disconnecting needs a form of this session")
  func disconnectForgery() async throws {
    let server = try await TestServer()
    let browser = await signedIn(at: server)
    await browser.get("/connect/vault")
    await browser.get(callback(browser.answer["state"]))
    await browser.post("/account/disconnect", ["provider": "vault", "csrf": "guessed"])
    #expect(browser.response.status == 403)
    await browser.get("/account/disconnect")
    #expect(browser.response.status == 405)
    #expect(server.connections[Self.key]?.state == .active)
  }
}
