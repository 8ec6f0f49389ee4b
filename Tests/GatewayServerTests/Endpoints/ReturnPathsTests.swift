import Cryptography
import HTTPWire
import OAuthCore
import PosternTesting
import Testing

@testable import GatewayServer

struct ReturnPathsTests {
  private static func paths() throws -> ReturnPaths {
    ReturnPaths(ring: try KeyRing(active: "k1", keys: [("k1", Secret(bytes: SeededRandom().bytes(32)))]))
  }

  private let now = Timestamp(seconds: 1_750_000_000)

  @Test(
    "WHATWG URL §4.4: what a browser could take for another origin, or for two header lines, is no way back",
    arguments: [
      "", "photos", "//evil.example", "//evil.example/x", "/\\evil.example", "https://evil.example", "\\\\evil.example",
      "/a b", "/a\r\nLocation: //evil.example", "/\t/evil.example", "/ä", "?x", "javascript:alert(1)",
    ])
  func notLocal(_ target: String) throws {
    #expect(try Self.paths().seal(target, at: now) == nil)
    #expect(!ReturnPaths.isLocal(target))
  }

  @Test("path and query come back exactly", arguments: ["/", "/photos/1?size=a%2Fb&x=//evil.example", "/?next=https://evil.example", "/a;b/c"])
  func roundTrip(_ target: String) throws {
    let paths = try Self.paths()
    let sealed = try #require(paths.seal(target, at: now))
    #expect(paths.open(sealed, at: now + ReturnPaths.lifetime + .seconds(-1)) == target)
    #expect(paths.open(sealed, at: now + ReturnPaths.lifetime) == nil)
  }

  @Test("a way back that this server did not seal, or that was changed, leads nowhere")
  func forged() throws {
    let paths = try Self.paths()
    let sealed = try #require(paths.seal("/photos", at: now))
    let middle = sealed.index(sealed.startIndex, offsetBy: sealed.count / 2)
    let changed = sealed[..<middle] + (sealed[middle] == "A" ? "B" : "A") + sealed[sealed.index(after: middle)...]
    let forgeries = ["", "/photos", "//evil.example", String(sealed.dropLast(4)), "-\(sealed.dropFirst())", String(changed), sealed + "AAAA"]
    for forged in forgeries {
      #expect(paths.open(forged, at: now) == nil, "\(forged)")
    }
    let others = ReturnPaths(ring: try KeyRing(active: "k1", keys: [("k1", Secret(bytes: SystemRandom().bytes(32)))]))
    #expect(others.open(sealed, at: now) == nil)
    #expect(paths.seal("/" + String(repeating: "x", count: 8000), at: now) == nil)
  }

  @Test("signing in leads back to the page that asked for it, also after a wrong password; a forged way back to the account")
  func signIn() async throws {
    let server = try await TestServer()
    let address = server.access.signInAddress(before: "/elsewhere?x=1", at: server.clock.now)
    let login = try #require(address.split(separator: "https://auth.example.com").first.map { String($0) })
    let browser = TestBrowser(server)
    await browser.get(login)
    #expect(browser.page.contains("to go on to the page you asked for"))
    await browser.signIn(password: "wrong")
    #expect(browser.response.status == 403)
    await browser.signIn()
    #expect(browser.history.last == "/elsewhere?x=1")
    // Who is signed in by now is sent on at once.
    await browser.get(login)
    #expect(browser.history.suffix(2) == [login, "/elsewhere?x=1"])

    for forged in ["//evil.example", "https://evil.example", "%2Felsewhere", "AAAA"] {
      let other = TestBrowser(server)
      await other.get("/login?return=\(forged)")
      #expect(!other.page.contains("name=\"return\""))
      await other.signIn()
      #expect(other.history.last == "/account")
      await other.get("/login?return=\(forged)")
      #expect(other.history.last == "/account")
    }
  }
}
