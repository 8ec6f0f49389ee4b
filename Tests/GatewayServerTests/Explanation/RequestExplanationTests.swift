import Broker
import Cryptography
import HTTPWire
import JSON
import OAuthCore
import PosternTesting
import ReverseProxy
import Testing

@testable import GatewayServer

/// A request as it is explained and as the engine serves it.
struct ExplainedRequest: Sendable, CustomTestStringConvertible {
  let name: String
  let head: String
  let status: Int
  var testDescription: String { name }

  init(_ name: String, _ line: String, _ fields: [String] = [], host: String = "Host: a\r\n", status: Int) {
    self.name = name
    head = "\(line) HTTP/1.1\r\n\(host)" + fields.map { "\($0)\r\n" }.joined() + "\r\n"
    self.status = status
  }

  static let via = ViaField(deployment: "https://auth.example.com")
  static let app = "Origin: https://app.example"
  static let good = "Authorization: Bearer good"

  static let stranger = SigningKey.generate(.es256)
  private static func foreign(_ changes: JSONObject = [:]) -> String {
    "Authorization: Bearer \(Strangers.token(stranger, changes))"
  }

  static let all = [
    ExplainedRequest("forwarded", "GET /guarded/1?q=a%2Fb", [good, "Accept: text/*", "Cookie: theme=dark"], status: 200),
    ExplainedRequest("told who asks", "GET /told", [good, "X-Postern-Assertion: mine"], status: 200),
    ExplainedRequest("anonymous", "POST /open/x", ["Content-Length: 0"], status: 200),
    ExplainedRequest("absolute-form without a path", "GET http://a", status: 404),
    ExplainedRequest("another host", "GET /hosted", host: "Host: gw.example.com:8080\r\n", status: 200),
    ExplainedRequest("no host", "GET /open", host: "", status: 400),
    ExplainedRequest("two lengths", "POST /open", ["Content-Length: 1", "Content-Length: 2"], status: 400),
    ExplainedRequest("dot segment", "GET /open/../guarded", status: 400),
    ExplainedRequest("encoded slash", "GET /open/a%2Fb", status: 400),
    ExplainedRequest("no route", "GET /nowhere", status: 404),
    ExplainedRequest("host of another route", "GET /hosted", status: 404),
    ExplainedRequest("method", "DELETE /guarded/1", [good], status: 405),
    ExplainedRequest("body", "POST /open/x", ["Content-Length: 11"], status: 413),
    ExplainedRequest("through other gateways", "GET /open/x", ["Via: 1.0 a, 1.1 b"], status: 200),
    ExplainedRequest("in a circle", "GET /open/x", ["Via: 1.1 \(String(decoding: via.pseudonym, as: UTF8.self))"], status: 508),
    ExplainedRequest("a trace", "GET /open/x", ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate: a=b"], status: 200),
    ExplainedRequest("a broken trace", "GET /open/x", ["traceparent: 00-0-0-0", "tracestate: a=b"], status: 200),
    ExplainedRequest("no token", "GET /guarded/1", status: 401),
    ExplainedRequest("another scheme", "GET /guarded/1", ["Authorization: Basic eA=="], status: 401),
    ExplainedRequest("malformed bearer", "GET /guarded/1", ["Authorization: Bearer a b"], status: 400),
    ExplainedRequest("two tokens", "GET /guarded/1", [good, good], status: 400),
    ExplainedRequest("unknown token", "GET /guarded/1", ["Authorization: Bearer bad"], status: 401),
    ExplainedRequest("expired token", "GET /guarded/1", ["Authorization: Bearer old"], status: 401),
    ExplainedRequest("token bound to what is not understood", "GET /guarded/1", ["Authorization: Bearer unread"], status: 401),
    ExplainedRequest("another audience", "GET /guarded/1", ["Authorization: Bearer elsewhere"], status: 401),
    ExplainedRequest("preflight", "OPTIONS /guarded/1", [app, "Access-Control-Request-Method: GET"], status: 204),
    ExplainedRequest("preflight of a stranger", "OPTIONS /guarded/1", ["Origin: null", "Access-Control-Request-Method: GET"], status: 204),
    ExplainedRequest("no preflight", "OPTIONS /guarded/1", [app], status: 405),
    ExplainedRequest("another origin's script", "GET /guarded/1", [good, app], status: 200),
    ExplainedRequest(
      "upgrade where no WebSocket may begin", "GET /guarded/1",
      [good, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(WebSocketPeer.key)"],
      status: 200),
    ExplainedRequest(
      "WebSocket", "GET /socket",
      ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(WebSocketPeer.key)"],
      status: 200),
    ExplainedRequest("a person without a session", "GET /page", ["Accept: text/html"], status: 302),
    ExplainedRequest("a script without a session", "GET /page", status: 401),
    ExplainedRequest("a cookie of nobody", "GET /page", ["Cookie: __Host-postern=x", "Accept: text/html"], status: 302),
    ExplainedRequest("a cookie beside a bad token", "GET /page", ["Cookie: __Host-postern=x", "Authorization: Bearer bad"], status: 401),
    ExplainedRequest("another site's form", "POST /page", ["Cookie: __Host-postern=x", "Content-Length: 0"], status: 403),
    ExplainedRequest("missing scope", "GET /guarded/1", ["Authorization: Bearer narrow"], status: 403),
    ExplainedRequest("foreign token", "GET /foreign/1", [foreign()], status: 200),
    ExplainedRequest("foreign token of another audience", "GET /foreign/1", [foreign(["aud": "x"])], status: 401),
    ExplainedRequest("foreign token that is over", "GET /foreign/1", [foreign(["exp": 1])], status: 401),
    ExplainedRequest("foreign token with too little scope", "GET /foreign/1", [foreign(["scope": "x"])], status: 403),
    ExplainedRequest("foreign token where only Postern's are taken", "GET /guarded/1", [foreign()], status: 401),
    ExplainedRequest("Postern's token where only others' are taken", "GET /foreign/1", ["Authorization: Bearer pat_x"], status: 401),
    ExplainedRequest("foreign token of an issuer that publishes nothing", "GET /foreign/1", [foreign(["iss": "https://gone.example"])], status: 503),
  ]
}

@Suite(.serialized) struct RequestExplanationTests {
  static let key = "upstream-key"

  private static func routes() throws -> [Route] {
    let guarded = try PathPattern("/guarded/**")
    return [
      Route(
        name: "guarded", pattern: guarded, methods: [.get],
        access: AccessPolicy(requiredScopes: ["read"], audience: "https://api"),
        credential: .apiKey(fieldName: "X-Api-Key", key: Secret(key)), upstream: "up",
        rewrite: try PathRewrite(stripPrefix: "/guarded", addPrefix: "/v1", for: guarded),
        limits: RouteLimits(rate: RateRule(key: .client, count: 2, period: 3600)),
        crossOrigin: CrossOriginRule(origins: .listed([try Origin("https://app.example")]))),
      Route(
        name: "told", pattern: try PathPattern("/told"), access: AccessPolicy(requiredScopes: ["read"]),
        credential: .signedAssertion(SignedAssertionRule(audience: "https://api")), upstream: "up"),
      Route(
        name: "open", pattern: try PathPattern("/open/**"), access: .anonymous, upstream: "up",
        limits: RouteLimits(bodyBytesMax: 10)),
      Route(
        name: "socket", pattern: try PathPattern("/socket"), access: .anonymous, upstream: "up", streams: .webSocket),
      .accepting([.idp(), .idp("https://gone.example")], at: "/foreign"),
      Route(
        name: "certified", pattern: try PathPattern("/certified"), access: .anonymous, upstream: "up", clientCertificate: .chain),
      Route(name: "hosted", host: "gw.example.com", pattern: try PathPattern("/hosted"), access: .anonymous, upstream: "up"),
      Route(
        name: "page", pattern: try PathPattern("/page"),
        access: AccessPolicy(session: SessionRule(scopes: ["read"]), requiredScopes: ["read"]), upstream: "up"),
    ]
  }

  private static func verifier() -> ScriptedVerifier {
    let verifier = ScriptedVerifier()
    verifier.add("good", audience: ["https://api"])
    verifier.add("narrow", scope: ["other"], audience: ["https://api"])
    verifier.add("elsewhere", audience: ["https://other"])
    verifier.add("unread", audience: ["https://api"], claims: ["cnf": ["jkt": "x"]])
    verifier.add("bound", audience: ["https://api"], claims: ["cnf": ["x5t#S256": .string(Base64URL.encode(SHA256.digest("x").bytes))]])
    verifier.add("old", audience: ["https://api"], expiresAt: Timestamp(seconds: 1))
    return verifier
  }

  private static func explain(_ head: String, server: String = "http://127.0.0.1:1") async throws -> RequestExplanation {
    let gateway = RequestExplanation.Gateway(
      routes: try RouteTable(try routes()), upstreams: [Upstream(name: "up", servers: [try Origin(server)])], limits: Limits(),
      via: ExplainedRequest.via, issuer: try Origin("https://auth.example.com"))
    let now = Timestamp(seconds: 2_000_000_000)
    switch RequestExplanation.explain(head: Array(head.utf8), at: gateway, now: now) {
    case .complete(let explanation): return explanation
    case .needsFacts(let token, let access):
      let destination = TokenDispatch(ownIssuer: "https://auth.example.com", routes: try routes()).destination(of: token, on: access)
      let finding: RequestExplanation.TokenFinding =
        if case .own = destination { .found(try await verifier().verify(token)) }
        else { .foreign(await strangers().sources().finding(token, to: destination)) }
      return try explain(head, gateway, with: finding, now)
    case .needsSession:
      return try explain(head, gateway, with: .found(nil), now)
    }
  }

  private static func explain(
    _ head: String, _ gateway: RequestExplanation.Gateway, with finding: RequestExplanation.TokenFinding, _ now: Timestamp
  ) throws -> RequestExplanation {
    guard
      case .complete(let explanation) = RequestExplanation.explain(
        head: Array(head.utf8), at: gateway, token: finding, now: now)
    else { throw Unfinished() }
    return explanation
  }

  private static func strangers() -> Strangers {
    let strangers = Strangers()
    strangers.publish([ExplainedRequest.stranger])
    return strangers
  }

  private struct Unfinished: Error {}

  @Test("an explanation and the engine come to the same status and the same head", arguments: ExplainedRequest.all)
  func agreement(_ request: ExplainedRequest) async throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    defer { upstream.stop() }
    let keys = try await SigningKeys.load(
      from: InMemorySigningKeyStore(), ring: try KeyRing(active: "k", keys: [("k", Secret(bytes: Array(0..<32)))]),
      at: Timestamp(seconds: 0))
    let gateway = try Gateway(
      try Self.routes(), upstreams: ["up": [upstream.address]], verifier: Self.verifier(), foreign: Self.strangers().sources(),
      assertions: IdentityAssertions(issuer: "https://auth.example.com", signingKeys: keys), via: ExplainedRequest.via)
    let access = try await TestServer().access
    gateway.onEngine { $0.serve(access) }
    let client = try gateway.connect()
    client.send(request.head)
    let answer = try #require(client.readMessage())
    #expect(answer.head.hasPrefix("HTTP/1.1 \(request.status) "), "\(answer.head)")

    switch try await Self.explain(request.head, server: "http://\(upstream.address)").outcome {
    case .forwarded(let head):
      #expect(request.status == 200)
      let sent = try #require(upstream.received.first).components("\r\n").filter { !$0.isEmpty }
      #expect(Self.withoutChanging(head.components("\n")) == Self.withoutChanging(sent))
    case .refused(let status, let code, _, let challenge):
      #expect(status == request.status)
      #expect(answer.body.contains(":error:\(code)\""), "\(answer.body)")
      #expect(challenge.map { answer.head.contains("WWW-Authenticate: \($0)\r\n") } ?? !answer.head.contains("WWW-Authenticate"))
      #expect(upstream.received.isEmpty)
    case .answered(let status, _):
      #expect(status == request.status)
      #expect(upstream.received.isEmpty)
    case .ownEndpoint: Issue.record("no request here is Postern's own")
    }
  }

  /// Lines whose values differ from request to request, or are redacted, count by their names.
  private static func withoutChanging(_ lines: [String]) -> [String] {
    lines.map { line in
      let isChanging = ["X-Request-Id:", "X-Forwarded-For:", "X-Forwarded-Proto:", "X-Api-Key:", "X-Postern-Assertion:", "Cookie:", "traceparent:", "Sec-WebSocket-Key:"].contains { line.hasPrefix($0) }
      return isChanging ? String(line.prefix { $0 != ":" }) : line
    }
  }

  @Test("no credential, token or cookie stands in an explanation")
  func redaction() async throws {
    let explanation = try await Self.explain(
      "GET /guarded/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nCookie: theme=dark\r\nX-Auth-Token: hidden\r\n\r\n")
    let text = "\(explanation)"
    #expect(text.contains("X-Api-Key: <redacted>"))
    #expect(text.contains("api_key, in the field X-Api-Key"))
    for secret in [Self.key, "Bearer good", "theme=dark", "hidden"] { #expect(!text.contains(secret), "\(secret)") }
  }

  @Test("the steps tell what was asked and what was there")
  func steps() async throws {
    let narrow = try await Self.explain("GET /guarded/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer narrow\r\n\r\n")
    #expect(narrow.steps.map(\.name) == [
      "framing", "path", "route", "host", "method", "bearer", "token", "audience", "scopes", "policy",
    ])
    #expect(narrow.steps.contains(.init(name: "route", verdict: "guarded, for /guarded/**")))
    #expect(narrow.steps.contains(.init(name: "scopes", verdict: "needs read, the token has other")))
    #expect(narrow.steps.contains(.init(name: "token", verdict: "of client c for subject s")))
  }

  @Test("whether a WebSocket may begin, and what ends a stream, is told")
  func streams() async throws {
    let guarded = try await Self.explain("GET /guarded/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n")
    #expect(guarded.steps.contains(
      .init(name: "streams", verdict: "end when the token is revoked, end 30 s after it has expired")))
    let asked = try await Self.explain(WebSocketPeer.request(path: "/socket"))
    #expect(asked.steps.contains(.init(name: "websocket", verdict: "asked for")))
    let wrong = try await Self.explain(WebSocketPeer.request(path: "/socket").replacing(": 13", with: ": 8"))
    #expect(wrong.steps.contains(.init(name: "websocket", verdict: "none: Sec-WebSocket-Version must be 13.")))
  }

  @Test("what the caller's certificate is for is told, though an explanation has none")
  func certificates() async throws {
    let bound = try await Self.explain("GET /guarded/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer bound\r\n\r\n")
    #expect(bound.steps.contains(
      .init(name: "binding", verdict: "the caller has to show the certificate that the token is bound to")))
    let certified = try await Self.explain("GET /certified HTTP/1.1\r\nHost: a\r\nClient-Cert: :AAAA:\r\n\r\n")
    #expect(certified.steps.contains(
      .init(name: "client certificate", verdict: "told to the upstream, where the caller shows one")))
    guard case .forwarded(let head) = certified.outcome else {
      Issue.record("the route is anonymous")
      return
    }
    #expect(head.contains("Client-Cert: <") && head.contains("Client-Cert-Chain: <") && !head.contains("AAAA"))
  }

  @Test("whoever asks at the wrong host is told the right one")
  func wrongHost() async throws {
    let hosted = try await Self.explain("GET /hosted HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(hosted.steps.contains(.init(name: "host", verdict: "other than those that have the path: gw.example.com")))
    let nowhere = try await Self.explain("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(nowhere.steps.contains(.init(name: "host", verdict: "none has a route for this path")))
  }

  @Test("a path of Postern's own is not forwarded, whatever the routes say")
  func ownEndpoint() async throws {
    #expect(try await Self.explain("GET /oauth/jwks HTTP/1.1\r\nHost: a\r\n\r\n").outcome == .ownEndpoint)
  }
}

extension String {
  fileprivate func components(_ separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: false).map(String.init)
  }
}
