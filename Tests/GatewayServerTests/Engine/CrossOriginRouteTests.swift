import ReverseProxy
import Testing

@testable import GatewayServer

@Suite(.serialized) struct CrossOriginRouteTests {
  private static let rule = CrossOriginRule(origins: .listed([try! Origin("https://app.example")]), allowsCredentials: true)

  private static func routes() throws -> [Route] {
    [
      Route(
        name: "api", pattern: try PathPattern("/api/**"), methods: [.get, .put],
        access: AccessPolicy(requiredScopes: ["read"]), upstream: "up", crossOrigin: rule),
      Route(name: "plain", pattern: try PathPattern("/plain/**"), access: .anonymous, upstream: "up"),
    ]
  }

  private static let answer = """
    HTTP/1.1 200 OK\r
    Access-Control-Allow-Origin: *\r
    access-control-allow-credentials: true\r
    Vary: Accept\r
    Content-Length: 2\r
    \r
    ok
    """

  private func gateway(_ body: (Gateway, ScriptedUpstream) throws -> Void) throws {
    let upstream = try ScriptedUpstream(answering: Self.answer)
    defer { upstream.stop() }
    let gateway = try Gateway(try Self.routes(), upstreams: ["up": [upstream.address]])
    gateway.verifier.add("good")
    try body(gateway, upstream)
  }

  private func send(_ client: RawConnection, _ line: String, _ fields: String...) -> String {
    client.send("\(line) HTTP/1.1\r\nHost: a\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n")
    return client.readMessage()?.head ?? "none"
  }

  private static let preflight = "Access-Control-Request-Method: PUT"
  private static let app = "Origin: https://app.example"

  @Test("Fetch §3.3.2: a preflight is answered without a token and without the upstream")
  func preflights() throws {
    try gateway { gateway, upstream in
      let client = try gateway.connect()
      let answer = send(client, "OPTIONS /api/x", Self.app, Self.preflight, "Access-Control-Request-Headers: authorization")
      #expect(answer.hasPrefix("HTTP/1.1 204 "))
      for line in [
        "Access-Control-Allow-Origin: https://app.example\r\n", "Access-Control-Allow-Methods: PUT\r\n", "Vary: Origin\r\n",
        "Access-Control-Allow-Headers: Authorization, Content-Type\r\n", "Access-Control-Allow-Credentials: true\r\n",
      ] { #expect(answer.contains(line), "\(answer)") }
      let stranger = send(client, "OPTIONS /api/x", "Origin: https://evil.example", Self.preflight)
      #expect(stranger.hasPrefix("HTTP/1.1 204 ") && !stranger.contains("Access-Control"))
      #expect(upstream.connectionCount == 0)
    }
  }

  static let ordinary: [(line: String, fields: [String], status: String)] = [
    ("OPTIONS /api/x", [app], "405"), ("OPTIONS /api/x", [preflight], "405"),
    ("OPTIONS /api/x", [app, preflight, preflight], "405"), ("OPTIONS /api/x", [app, app, preflight], "405"),
    ("OPTIONS /api/x", [app, "Access-Control-Request-Method: DELETE"], "405"),
    ("OPTIONS /api/x", [app, "Access-Control-Request-Method: TRACE"], "405"),
    ("PUT /api/x", [app, preflight], "401"), ("OPTIONS /plain/x", [app, preflight], "200"),
  ]

  @Test("what is no preflight, or for no route with cors, is a request like any other", arguments: ordinary)
  func otherRequests(line: String, fields: [String], status: String) throws {
    try gateway { gateway, _ in
      let client = try gateway.connect()
      client.send("\(line) HTTP/1.1\r\nHost: a\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n")
      #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 \(status) ") == true)
    }
  }

  @Test("the route's word on other origins takes the place of the upstream's, and stands on Postern's own errors, too")
  func responses() throws {
    try gateway { gateway, upstream in
      let client = try gateway.connect()
      let forwarded = send(client, "GET /api/x", Self.app, "Authorization: Bearer good")
      #expect(forwarded.hasPrefix("HTTP/1.1 200 "))
      #expect(forwarded.components(of: "ccess-") == 3 && forwarded.contains("Access-Control-Allow-Origin: https://app.example\r\n"))
      #expect(forwarded.contains("Vary: Accept\r\n") && forwarded.contains("Vary: Origin\r\n"))

      let refused = send(client, "GET /api/x", Self.app)
      #expect(refused.hasPrefix("HTTP/1.1 401 "))
      #expect(refused.contains("Access-Control-Allow-Origin: https://app.example\r\n"))
      #expect(refused.contains("Access-Control-Expose-Headers: WWW-Authenticate, "))

      for origin in ["Origin: null", "Origin: https://evil.example", "X-Origin: https://app.example"] {
        let stranger = send(client, "GET /api/x", origin, "Authorization: Bearer good")
        #expect(stranger.hasPrefix("HTTP/1.1 200 ") && !stranger.lowercased().contains("access-control"))
        #expect(stranger.contains("Vary: Origin\r\n"))
      }
      let plain = send(client, "GET /plain/x", Self.app)
      #expect(plain.contains("Access-Control-Allow-Origin: *\r\n") && !plain.contains("Vary: Origin"))
    }
  }

  @Test("what one request's origin was told is not told the next one on its connection")
  func nothingIsLeft() throws {
    try gateway { gateway, _ in
      let client = try gateway.connect()
      for path in ["/api/x", "/plain/x", "/nowhere"] {
        _ = send(client, "GET /api/x", Self.app)
        let next = send(client, "GET \(path)")
        #expect(!next.contains("app.example"), "\(path): \(next)")
      }
    }
  }
}
