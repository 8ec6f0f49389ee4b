import Cryptography
import HTTPWire
import OAuthCore
import Testing

@testable import GatewayServer

struct PageSecurityTests {
  /// Breaks out of text, of attributes and of addresses.
  private static let attack = "\"><script>alert(1)</script>\u{600}<img src=x onerror=alert(1)>'"

  @Test("every page forbids script, frames, caches, referrers and sniffing")
  func fields() async throws {
    let server = try await TestServer()
    let browser = TestBrowser(server)
    var responses: [HTTPResponse] = []
    for target in ["/login", server.authorizationRequest(["client_id": "nobody"]), "/consent", server.authorizationRequest()] {
      await browser.get(target)
      responses.append(browser.response)
    }
    await browser.signIn(password: "wrong")
    responses.append(browser.response)
    await browser.signIn()
    responses.append(browser.response)
    await browser.get("/account")
    responses.append(browser.response)
    await browser.post("/logout", [:])
    responses.append(browser.response)

    for response in responses {
      #expect(response.fields["Content-Type"] == "text/html; charset=utf-8")
      let policy = try #require(response.fields["Content-Security-Policy"])
      for directive in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
        #expect(policy.contains(directive))
      }
      #expect(!policy.contains("unsafe-inline") && !policy.contains("script-src"))
      #expect(response.fields["Referrer-Policy"] == "no-referrer")
      #expect(response.fields["Cache-Control"] == "no-store")
      #expect(response.fields["X-Content-Type-Options"] == "nosniff")
      #expect(response.fields["X-Frame-Options"] == "DENY")
      #expect(response.fields["Cross-Origin-Opener-Policy"] == "same-origin")
    }
  }

  @Test("CSP §8.3: the style sheet that runs is the one whose digest the policy names, and there is no other")
  func styleDigest() throws {
    let response = PageResponder(issuerHost: "auth.example.com").respond(SignInPage(csrf: "c"))
    let page = String(decoding: response.body, as: UTF8.self)
    let start = try #require(page.range(of: "<style>")).upperBound
    let end = try #require(page.range(of: "</style>")).lowerBound
    let digest = Base64.encode(SHA256.digest(String(page[start..<end])).bytes)
    let policy = try #require(response.fields["Content-Security-Policy"])
    let namesDigest = policy.contains("style-src 'sha256-\(digest)';")
    #expect(namesDigest)
  }

  @Test("what others chose (client name, scope meaning, state, user name, parameters) never becomes mark-up")
  func injection() async throws {
    let attack = Self.attack
    let server = try await TestServer(clientName: attack, scopeMeaning: attack)
    let browser = TestBrowser(server)
    let targets = [
      server.authorizationRequest(["state": attack]),
      server.authorizationRequest(["redirect_uri": "https://evil.example/\(attack)"]),
      server.authorizationRequest(["client_id": attack]),
      server.authorizationRequest([attack: attack]),
      "/login?request=\(PercentEncoding.encode(attack))",
    ]
    var pages: [String] = []
    for target in targets {
      await browser.get(target)
      pages.append(browser.page)
    }
    await browser.get(targets[0])
    await browser.signIn(attack)
    pages.append(browser.page)
    await browser.signIn()
    pages.append(browser.page)
    await browser.allow()
    await browser.get("/account")
    pages.append(browser.page)
    for page in pages {
      let hasTag = ["<script", "<img"].contains { Array(page.utf8).contains(sequence: $0) }
      #expect(!hasTag)
    }
  }

  @Test("a form that has two readings, or is too large, is not read", arguments: [
    ("csrf=a&csrf=b", 400), ("csrf=%zz", 400), ("csrf=%00", 400), (String(repeating: "a", count: 32 * 1024 + 1), 413),
  ])
  func malformed(body: String, status: Int) async throws {
    let server = try await TestServer()
    let response = await server.respond(
      to: HTTPRequest(
        method: "POST", path: "/login", fields: ["Content-Type": "application/x-www-form-urlencoded"], body: Array(body.utf8)))
    #expect(response.status == status)
  }
}
