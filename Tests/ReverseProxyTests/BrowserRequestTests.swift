import HTTPWire
import OAuthCore
import Testing

@testable import ReverseProxy

@Suite("Requests of browsers") struct BrowserRequestTests {
  private static let origin = Array("https://auth.example.com".utf8)

  /// Reads a head and asks it something.
  private func ask<Answer>(
    _ fields: [String], _ line: String = "GET /", _ question: (borrowing RequestHead, Span<UInt8>) -> Answer
  ) throws -> Answer {
    let text = "\(line) HTTP/1.1\r\nHost: auth.example.com\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n"
    let bytes = Array(text.utf8)
    var scanner = RequestScanner()
    let isComplete = try scanner.scan(bytes.span)
    try #require(isComplete)
    return question(scanner.head, bytes.span)
  }

  static let navigations: [(fields: [String], line: String, isOne: Bool)] = [
    (["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"], "GET /", true),
    (["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: */*"], "GET /", true),
    (["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", "Accept: text/html"], "GET /", false),
    (["Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept: text/html"], "GET /", false),
    (["Sec-Fetch-Mode: navigate", "Accept: text/html"], "GET /", false),
    (["Sec-Fetch-Mode: navigate", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"], "GET /", false),
    (["Accept: text/html,application/xhtml+xml;q=0.9"], "GET /", true),
    (["Accept: application/json, text/html;q=0.1"], "GET /", true),
    (["Accept: application/json"], "GET /", false), (["Accept: text/html5"], "GET /", false),
    (["Accept: */*"], "GET /", false), ([], "GET /", false),
    (["Accept: text/html"], "POST /", false), (["Accept: text/html"], "HEAD /", false),
    (["Accept: text/html", "Connection: upgrade", "Upgrade: websocket"], "GET /", false),
  ]

  @Test("Fetch Metadata §2: a navigation is a GET for a document, or, said without the metadata, for HTML", arguments: navigations)
  func navigation(fields: [String], line: String, isOne: Bool) throws {
    #expect(try ask(fields, line) { BrowserRequest.isNavigation($0, $1) } == isOne)
  }

  static let proofs: [(fields: [String], isProven: Bool)] = [
    (["Sec-Fetch-Site: same-origin"], true), (["Origin: https://auth.example.com"], true),
    (["Sec-Fetch-Site: same-origin", "Origin: https://auth.example.com"], true),
    (["Sec-Fetch-Site: same-origin", "Origin: null"], true),
    ([], false), (["Origin: null"], false), (["Origin: "], false), (["Sec-Fetch-Site: none"], false),
    (["Sec-Fetch-Site: same-site"], false), (["Sec-Fetch-Site: cross-site"], false),
    (["Sec-Fetch-Site: cross-site", "Origin: https://auth.example.com"], false),
    (["Sec-Fetch-Site: same-origin", "Origin: https://evil.example"], false),
    (["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-origin"], false),
    (["Origin: https://auth.example.com", "Origin: https://auth.example.com"], false),
    (["Origin: https://auth.example.com.evil.example"], false), (["Origin: http://auth.example.com"], false),
    (["Origin: https://auth.example.com:8443"], false), (["Sec_Fetch_Site: same-origin"], false),
    (["Referer: https://auth.example.com/"], false),
  ]

  @Test("Fetch Metadata §2.3: a page of this site is one that the browser vouches for and nothing contradicts", arguments: proofs)
  func proof(fields: [String], isProven: Bool) throws {
    #expect(try ask(fields) { BrowserRequest.isProvenOwn($0, $1, origin: Self.origin) } == isProven)
  }

  @Test("RFC 9110 §9.2.1; RFC 6455 §10.2: unsafe methods and upgrades need a proof, whatever else they say")
  func needsProof() throws {
    for method in ["POST", "PUT", "PATCH", "DELETE", "QUERY", "get"] {
      #expect(try ask([], "\(method) /") { head, _ in BrowserRequest.needsProofOfOrigin(head) }, "\(method)")
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
      #expect(try !ask([], "\(method) /") { head, _ in BrowserRequest.needsProofOfOrigin(head) }, "\(method)")
    }
    #expect(try ask(["Connection: keep-alive, Upgrade", "Upgrade: websocket"]) { head, _ in BrowserRequest.needsProofOfOrigin(head) })
  }

  static let cookies: [(fields: [String], value: String?)] = [
    (["Cookie: __Host-postern=abc"], "abc"), (["Cookie: a=b; __Host-postern=abc; c=d"], "abc"),
    (["cookie: a=b", "COOKIE: __Host-postern=abc"], "abc"), (["Cookie: __Host-postern="], ""),
    (["Cookie: __Host-postern=a=b"], "a=b"),
    (["Cookie: __Host-postern=abc; __Host-postern=abc"], nil), (["Cookie: __Host-postern=a", "Cookie: __Host-postern=b"], nil),
    (["Cookie: postern=abc"], nil), (["Cookie: __host-postern=abc"], nil), (["Cookie: x__Host-postern=abc"], nil),
    (["Cookie: __Host-postern2=abc"], nil), (["Cookie: __Host-postern"], nil), (["X-Cookie: __Host-postern=abc"], nil), ([], nil),
  ]

  @Test("RFC 6265 §4.2.1: the session's cookie is the one of its exact name; two of them are none", arguments: cookies)
  func cookie(fields: [String], value: String?) throws {
    let found = try ask(fields) { head, bytes -> String? in
      guard case .value(let range) = BrowserRequest.cookie(Array("__Host-postern".utf8), head, bytes) else { return nil }
      return bytes.text(range)
    }
    #expect(found == value)
  }

  @Test("a session has the scopes that its route gives it, whatever the audience, until it expires")
  func policy() {
    let now = Timestamp(seconds: 100)
    let policy = AccessPolicy(session: SessionRule(scopes: ["read"]), requiredScopes: ["read"], audience: "https://api")
    #expect(policy.decide(sessionUntil: Timestamp(seconds: 101), at: now) == .allow)
    #expect(policy.decide(sessionUntil: now, at: now) == .deny(.missingToken))
    let narrow = AccessPolicy(session: SessionRule(scopes: ["list"]), requiredScopes: ["read"])
    #expect(narrow.decide(sessionUntil: Timestamp(seconds: 101), at: now) == .deny(.insufficientScope))
    let none = AccessPolicy(requiredScopes: [])
    #expect(none.decide(sessionUntil: Timestamp(seconds: 101), at: now) == .deny(.missingToken))
  }

  @Test("a route for sessions only takes no token")
  func sessionsOnly() {
    let policy = AccessPolicy(accepts: [], session: SessionRule())
    let authorization = Authorization(subject: Subject("s"), client: ClientID("c"), scope: [], audience: [])
    #expect(policy.decide(authorization, expiresAt: Timestamp(seconds: 2), at: Timestamp(seconds: 1)) == .deny(.invalidToken))
  }
}
