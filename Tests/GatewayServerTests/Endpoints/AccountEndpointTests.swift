import JSON
import OAuthCore
import Testing

@testable import GatewayServer

struct AccountEndpointTests {
  private let server: TestServer
  private let browser: TestBrowser

  init() async throws {
    server = try await TestServer()
    browser = TestBrowser(server)
  }

  private func allowPrintMyPics() async {
    await browser.get(server.authorizationRequest())
    await browser.signIn()
    await browser.allow()
  }

  @Test("the account page is for who is signed in, and for nobody else")
  func closed() async {
    await browser.get("/account")
    #expect(browser.history.last == "/login")
    await browser.post("/account", ["client_id": "printmypics"])
    #expect(browser.response.status == 403)
  }

  @Test("the account page lists each client, what it may do and since when")
  func listing() async {
    await allowPrintMyPics()
    await browser.get("/account")
    #expect(browser.page.contains("<h3>PrintMyPics</h3>"))
    #expect(browser.page.contains("<li>See your photos<code>photos.read</code></li>"))
    #expect(browser.page.contains("<time datetime=\"2025-06-15\">15 June 2025</time>"))
  }

  @Test("removing access forgets the consent and ends the tokens that came from it")
  func removing() async throws {
    await allowPrintMyPics()
    let client = TestBrowser(server)
    await client.post("/oauth/token", [
      "grant_type": "authorization_code", "client_id": "printmypics", "code": try #require(browser.answer["code"]),
      "redirect_uri": "https://printmypics.example/callback", "code_verifier": TestServer.verifier,
    ])
    let refreshToken = try #require(try JSON(parsing: client.response.body).object?["refresh_token"]?.string)

    await browser.get("/account")
    await browser.submit("/account")
    #expect(browser.page.contains("Access was removed.") && browser.page.contains("None."))
    #expect(try await server.consents.consents(of: Subject("alice-id")).isEmpty)
    await client.post("/oauth/token", [
      "grant_type": "refresh_token", "client_id": "printmypics", "refresh_token": refreshToken,
    ])
    #expect(client.response.status == 400 && client.page.contains("invalid_grant"))
    await browser.get(server.authorizationRequest())
    #expect(browser.page.contains("Allow PrintMyPics"), "the client has to ask again")
  }

  @Test("access whose tokens cannot be ended now stays on the page, to be removed again")
  func removingLater() async throws {
    await allowPrintMyPics()
    await browser.get("/account")
    server.tokens.failure = .unavailable
    await browser.submit("/account")
    #expect(browser.response.status == 503)
    server.tokens.failure = nil
    await browser.get("/account")
    #expect(browser.page.contains("<h3>PrintMyPics</h3>"))
    await browser.submit("/account")
    #expect(try await server.consents.consents(of: Subject("alice-id")).isEmpty)
  }

  @Test("nobody removes access in somebody else's name")
  func foreign() async throws {
    await allowPrintMyPics()
    let bob = TestBrowser(server)
    await bob.get("/login")
    await bob.signIn("bob")
    await bob.post("/account", ["csrf": bob.hiddenFields(of: "/logout")["csrf"] ?? "", "client_id": "printmypics"])
    #expect(try await server.consents.consents(of: Subject("alice-id")).count == 1)
  }

  @Test("a client that is no longer registered can still be taken its access")
  func goneClient() async throws {
    try await server.consents.allow(["photos.read"], to: ClientID("gone"), by: Subject("alice-id"), at: server.clock.now)
    await browser.get("/login")
    await browser.signIn()
    #expect(browser.page.contains("<h3>gone</h3>"))
    await browser.submit("/account")
    #expect(try await server.consents.consents(of: Subject("alice-id")).isEmpty)
  }
}
