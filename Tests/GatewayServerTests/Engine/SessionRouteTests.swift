import Glibc
import HTTPWire
import OAuthCore
import PosternTesting
import ReverseProxy
import Testing

@testable import GatewayServer

@Suite(.serialized) struct SessionRouteTests {
  private static let cookieName = "__Host-postern"

  /// A gateway whose route takes sessions of a server in memory, with Alice signed in.
  private struct Scene {
    let server: TestServer
    let browser: TestBrowser
    let gateway: Gateway
    let upstream: ScriptedUpstream

    var cookie: String { browser.cookies[cookieName] ?? "" }
    var session: Locator {
      get throws { try #require(HandleLayout.locator(ofSession: cookie)) }
    }

    init(_ access: AccessPolicy) async throws {
      server = try await TestServer()
      server.clock.advance(by: .seconds(Int64(time(nil)) - server.clock.now.seconds))
      browser = TestBrowser(server)
      await browser.get("/login")
      await browser.signIn()
      upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      let route = Route.everything(access: access)
      gateway = try Gateway([route], upstreams: ["up": [upstream.address]])
      gateway.verifier.add("good")
      let access = server.access
      gateway.onEngine { $0.serve(access) }
    }

    func head(_ line: String, _ fields: [String], on client: RawConnection? = nil) throws -> String {
      let client = try client ?? gateway.connect()
      client.send("\(line) HTTP/1.1\r\nHost: auth.example.com\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n")
      return client.readMessage()?.head ?? "none"
    }

    func status(_ line: String, _ fields: String...) throws -> Int { Int(try head(line, fields).dropFirst(9).prefix(3)) ?? 0 }

    var sessionField: String { "Cookie: theme=dark; \(cookieName)=\(cookie)" }
  }

  private static let access = AccessPolicy(session: SessionRule(scopes: ["read"]), requiredScopes: ["read"])

  @Test("a session counts as its user, with the route's scopes, and its cookie stays here")
  func session() async throws {
    let scene = try await Scene(Self.access)
    defer { scene.upstream.stop() }
    for _ in 0..<2 {
      let answer = try scene.head("GET /x", [scene.sessionField])
      #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.contains("Vary: Cookie\r\n"))
    }
    let received = scene.upstream.received.joined()
    #expect(received.contains("Cookie: theme=dark\r\n") && !received.contains("postern") && !received.contains(scene.cookie))
    #expect(scene.gateway.counters.tokenHits == 1)
  }

  @Test("a navigation without a session goes to sign in and comes back to exactly this path and query; other requests get 401")
  func signIn() async throws {
    let scene = try await Scene(Self.access)
    defer { scene.upstream.stop() }
    let navigation = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
    let stranger = TestBrowser(scene.server)
    await stranger.get("/login")
    for cookie in [[], ["Cookie: \(Self.cookieName)=garbage"], ["Cookie: \(Self.cookieName)=\(stranger.cookies[Self.cookieName] ?? "")"]] {
      let answer = try scene.head("GET /photos/1?size=a%2Fb", navigation + cookie)
      #expect(answer.hasPrefix("HTTP/1.1 302 Found\r\n") && answer.contains("Cache-Control: no-store\r\n"))
      let location = try #require(answer.split(separator: "Location: ").last?.split(separator: "\r\n").first)
      #expect(location.hasPrefix("https://auth.example.com/login?return="))
      let visitor = TestBrowser(scene.server)
      await visitor.get(String(location.dropFirst("https://auth.example.com".count)))
      await visitor.signIn()
      #expect(visitor.history.last == "/photos/1?size=a%2Fb")

      let refused = try scene.head("GET /photos/1", cookie)
      #expect(refused.hasPrefix("HTTP/1.1 401 ") && refused.contains("WWW-Authenticate: Bearer"))
    }
    #expect(try scene.status("POST /photos", "Accept: text/html", "Content-Length: 0") == 401)
    #expect(scene.upstream.connectionCount == 0)
  }

  @Test("a request with Authorization never falls back to the cookie", arguments: ["Bearer bad", "Bearer", "Basic eA==", ""])
  func noFallBack(_ authorization: String) async throws {
    let scene = try await Scene(Self.access)
    defer { scene.upstream.stop() }
    let status = try scene.status("GET /", scene.sessionField, "Authorization: \(authorization)", "Accept: text/html")
    #expect(status == 401 || status == 400)
    #expect(scene.upstream.connectionCount == 0)
  }

  @Test("a session is no token, and a token no session")
  func keptApart() async throws {
    let scene = try await Scene(Self.access)
    defer { scene.upstream.stop() }
    #expect(try scene.status("GET /", scene.sessionField) == 200)
    #expect(try scene.status("GET /", "Authorization: Bearer \(scene.cookie)") == 401)
    #expect(try scene.status("GET /", "Authorization: Bearer good") == 200)
    #expect(try scene.status("GET /", "Cookie: \(Self.cookieName)=good") == 401)
  }

  @Test("CSRF: an unsafe method or an upgrade with a cookie goes on only with proof of a page of this site")
  func crossSite() async throws {
    let scene = try await Scene(Self.access)
    defer { scene.upstream.stop() }
    for fields in [[], ["Origin: https://evil.example"], ["Sec-Fetch-Site: cross-site"], ["Sec-Fetch-Site: same-site"], ["Origin: null"]] {
      for request in [["POST /", "Content-Length: 0"], ["DELETE /", "X: y"], ["GET /", "Connection: upgrade\r\nUpgrade: websocket"]] {
        let answer = try scene.head(request[0], [request[1], scene.sessionField] + fields)
        #expect(answer.hasPrefix("HTTP/1.1 403 "), "\(request) \(fields)")
      }
    }
    #expect(scene.upstream.connectionCount == 0)
    #expect(try scene.status("POST /", "Content-Length: 0", scene.sessionField, "Sec-Fetch-Site: same-origin") == 200)
    #expect(try scene.status("DELETE /", scene.sessionField, "Origin: https://auth.example.com") == 200)
  }

  @Test("a session that was signed out, or whose account was changed, is refused from the next request on", arguments: [true, false])
  func ended(signsOut: Bool) async throws {
    let scene = try await Scene(Self.access)
    defer { scene.upstream.stop() }
    #expect(try scene.status("GET /", scene.sessionField) == 200)
    let session = try scene.session
    try await scene.server.sessions.end(session)
    #expect(try scene.status("GET /", scene.sessionField) == 200, "remembered")
    let change: Change = signsOut ? .sessionEnded(session) : .accountChanged(Subject("alice-id"))
    scene.gateway.onEngine { $0.apply([change]) }
    #expect(try scene.status("GET /", scene.sessionField) == 401)
    #expect(try scene.status("GET /", scene.sessionField, "Accept: text/html") == 302)
  }

  @Test("a route that does not accept sessions takes none, and sends nobody to sign in")
  func otherRoutes() async throws {
    let scene = try await Scene(AccessPolicy(requiredScopes: ["read"]))
    defer { scene.upstream.stop() }
    #expect(try scene.status("GET /", scene.sessionField, "Accept: text/html") == 401)
  }

  @Test("a rate per client counts the users of browser sessions one by one")
  func rate() async throws {
    let scene = try await Scene(Self.access)
    defer { scene.upstream.stop() }
    let route = Route.everything(
      access: Self.access, limits: RouteLimits(rate: RateRule(key: .client, count: 1, period: 3600)))
    let snapshot = try Gateway.snapshot([route], ["up": [scene.upstream.address]])
    scene.gateway.onEngine { $0.apply(snapshot) }
    let bob = TestBrowser(scene.server)
    await bob.get("/login")
    await bob.signIn("bob")
    let statuses = try (0..<2).map { _ in try scene.status("GET /", scene.sessionField) }
    #expect(statuses == [200, 429])
    #expect(try scene.status("GET /", "Cookie: \(Self.cookieName)=\(bob.cookies[Self.cookieName] ?? "")") == 200)
  }
}

extension HandleLayout {
  fileprivate static func locator(ofSession text: String) -> Locator? {
    var text = text
    return text.withUTF8 { locatorAndHash(UnsafeRawBufferPointer($0), .session)?.0 }
  }
}
