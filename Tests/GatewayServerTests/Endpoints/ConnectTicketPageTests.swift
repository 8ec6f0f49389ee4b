import Broker
import OAuthCore
import Testing

@testable import GatewayServer

@Suite("/connect by ticket")
struct ConnectTicketPageTests {
  private let server: TestServer

  init() async throws { server = try await TestServer() }

  private func ticket(for subject: String = "user-17", returnTo: String? = nil) async throws -> String {
    try await server.tickets.issue(
      for: Subject(subject), provider: ProviderID("vault"), scopes: [], returnTo: returnTo, by: ClientID("printmypics")
    ).text
  }

  private func open(_ ticket: String) async -> TestBrowser {
    let browser = TestBrowser(server)
    await browser.get("/connect/vault?ticket=\(ticket)")
    return browser
  }

  private func callback(_ state: String?, error: String? = nil) -> String {
    let parameters = [("state", state), ("iss", "https://vault.example"), (error == nil ? "code" : "error", error ?? "c")]
    return "/connect/vault/callback?" + PercentEncoding.form(parameters.compactMap { name, value in value.map { (name, $0) } })
  }

  @Test("following the link shows who asks for whom; nothing begins before its form is sent from this browser")
  func asks() async throws {
    let ticket = try await ticket()
    let browser = await open(ticket)
    #expect(browser.response.status == 200)
    #expect(browser.page.contains("PrintMyPics") && browser.page.contains("user-17") && browser.page.contains("<li>read</li>"))
    #expect(browser.response.fields["Content-Security-Policy"]?.contains("form-action 'self' https:;") == true)
    // Where the ticket leads back to counts, too: Chromium holds every redirect after a form against the policy.
    let elsewhere = await open(try await self.ticket(returnTo: "http://127.0.0.1:3000/"))
    #expect(elsewhere.response.fields["Content-Security-Policy"]?.contains("form-action 'self' https: https: http:;") == true)
    #expect(browser.response.fields["Referrer-Policy"] == "no-referrer")
    // Another site's form, or another browser's, begins nothing.
    let stranger = TestBrowser(server)
    await stranger.post("/connect/vault", ["ticket": ticket, "csrf": "x"])
    #expect(stranger.response.status == 403)
    await stranger.get("/connect/vault?ticket=\(ticket)")
    await stranger.post("/connect/vault", browser.hiddenFields(of: "/connect/vault"))
    #expect(stranger.response.status == 403)
    await browser.submit("/connect/vault")
    #expect(browser.location?.hasPrefix("https://vault.example/authorize?") == true)
  }

  @Test("without a way back the page says that it is done; the flow belongs to the browser that followed the ticket")
  func done() async throws {
    let browser = await open(try await ticket())
    await browser.submit("/connect/vault")
    let state = browser.answer["state"]
    let other = TestBrowser(server)
    await other.get(callback(state))
    #expect(other.response.status == 400)
    await browser.get(callback(state))
    #expect(browser.response.status == 200 && browser.page.contains("vault is connected"))
    let key = ConnectionKey(provider: ProviderID("vault"), owner: .subject(Subject("user-17")))
    #expect(server.connections[key]?.state == .active)
  }

  @Test("two tabs with two tickets both work, and the later may come back first")
  func tabs() async throws {
    let (first, second) = (try await ticket(for: "one"), try await ticket(for: "two"))
    let browser = await open(first)
    await browser.submit("/connect/vault")
    let firstState = browser.answer["state"]
    await browser.get("/connect/vault?ticket=\(second)")
    await browser.submit("/connect/vault")
    let secondState = browser.answer["state"]
    for state in [secondState, firstState] {
      await browser.get(callback(state))
      #expect(browser.response.status == 200)
    }
    #expect(server.connections.users.filter { $0.row.state == .active }.count == 2)
  }

  @Test("a used, forged or expired ticket and one for somebody else who is signed in here lead nowhere, and say what to do")
  func refusals() async throws {
    let used = try await ticket()
    await open(used).submit("/connect/vault")
    for text in [used, "pct_nonsense"] {
      let browser = await open(text)
      #expect(browser.response.status == 400 && browser.location == nil)
      #expect(browser.page.contains("start again from there"))
    }
    let alice = TestBrowser(server)
    await alice.get("/login")
    await alice.signIn()
    let bobs = try await ticket(for: "bob-id")
    await alice.get("/connect/vault?ticket=\(bobs)")
    #expect(alice.response.status == 403 && alice.page.contains("signed in as alice"))
    #expect(try await server.tickets.ticket(bobs, for: ProviderID("vault")) != nil)
    await alice.get("/connect/vault?ticket=\(try await ticket(for: "alice-id"))")
    #expect(alice.response.status == 200 && alice.page.contains("alice"))
  }

  @Test("a no leads back by a link to the configured address only, and connects nothing; so does whatever came too late")
  func denied() async throws {
    let browser = await open(try await ticket(returnTo: "https://app.example/done"))
    await browser.submit("/connect/vault")
    let state = browser.answer["state"]
    await browser.get(callback(state, error: "access_denied") + "&return_to=https%3A%2F%2Fevil.example")
    #expect(browser.response.status == 403 && browser.location == nil)
    #expect(browser.page.contains("href=\"https://app.example/done\"") && !browser.page.contains("evil.example"))
    await browser.get(callback(state))
    #expect(browser.response.status == 400 && browser.location == nil)
    #expect(server.connections.users.isEmpty)
  }
}
