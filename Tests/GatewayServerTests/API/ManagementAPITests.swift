import Broker
import HTTPWire
import JSON
import OAuthCore
import Testing

@testable import GatewayServer

@Suite("/api/v1")
struct ManagementAPITests {
  private let server: TestServer

  init() async throws { server = try await TestServer() }

  private func call(
    _ method: String, _ target: String, _ body: String? = nil, token: String? = "admin", type: String = "application/json"
  ) async -> HTTPResponse {
    let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
    var request = HTTPRequest(method: method, path: "/api/v1/" + parts[0], query: parts.count > 1 ? parts[1] : nil)
    if let token { request.fields.append("Authorization", "Bearer \(token)") }
    if let body {
      request.fields.append("Content-Type", type)
      request.body = Array(body.utf8)
    }
    return await server.respond(to: request)
  }

  private func json(_ response: HTTPResponse) throws -> JSONObject { try #require(JSON(parsing: response.body).object) }

  /// Connects an account of a subject by a ticket, without anybody signing in.
  private func connect(_ subject: String, scopes: String = "[]") async throws {
    let answer = await call(
      "POST", "connect-tickets",
      #"{"subject":"\#(subject)","provider":"vault","scopes":\#(scopes),"return_to":"https://app.example/done"}"#)
    #expect(answer.status == 201)
    let url = try #require(try json(answer)["connect_url"]?.string)
    let browser = TestBrowser(server)
    await browser.get(String(url.dropFirst("https://auth.example.com".count)))
    await browser.submit("/connect/vault")
    let state = try #require(browser.answer["state"])
    await browser.get("/connect/vault/callback?" + PercentEncoding.form([("code", "c"), ("state", state), ("iss", "https://vault.example")]))
    #expect(browser.location == "https://app.example/done")
    #expect(browser.response.status == 303)
  }

  @Test("RFC 6750 §3.1: nothing is told without a token, with a bad one, or with one that lacks the scope", arguments: [
    (nil, 401, nil), ("nonsense", 401, "invalid_token"), ("reader", 403, "insufficient_scope"), ("a b", 400, "invalid_request"),
    ("outage", 503, nil),
  ] as [(String?, Int, String?)])
  func refused(token: String?, status: Int, error: String?) async {
    for (method, target) in [("GET", "connections"), ("POST", "connect-tickets"), ("GET", "nothing"), ("DELETE", "connections/x")] {
      let response = await call(method, target, "{}", token: token)
      #expect(response.status == status)
      let challenge = response.fields["WWW-Authenticate"]
      #expect(status == 503 || challenge != nil)
      if let error { #expect(challenge?.contains("error=\"\(error)\"") == true) }
    }
  }

  @Test("RFC 8705 §3: a token bound to a certificate is nothing without it")
  func bound() async {
    var request = HTTPRequest(method: "GET", path: "/api/v1/connections", fields: ["Authorization": "Bearer bound"])
    #expect(await server.respond(to: request).status == 401)
    request.certificate = Array("another".utf8)
    #expect(await server.respond(to: request).status == 401)
    request.certificate = Array("certificate".utf8)
    #expect(await server.respond(to: request).status == 200)
  }

  @Test("a ticket connects, whoever follows it; the pages name the app and the subject, and the connection its scopes")
  func tickets() async throws {
    try await connect("user-17")
    let list = try json(await call("GET", "connections?subject=user-17"))
    let connection = try #require(list["connections"]?.array?.first?.object)
    #expect(connection["state"] == "active" && connection["provider"] == "vault" && connection["scopes"]?.strings == ["read"])
    #expect(connection["connected_at"]?.integer != nil && list["next_cursor"] == nil)
  }

  @Test("what a ticket says is checked, and unknown members are refused", arguments: [
    #"{"subject":"a"}"#, #"{"provider":"vault"}"#, #"{"subject":"a","provider":"nowhere"}"#, #"{"subject":"","provider":"vault"}"#,
    #"{"subject":"a","provider":"vault","scopes":"read"}"#, #"{"subject":"a","provider":"vault","scopes":["write"]}"#,
    #"{"subject":"a","provider":"vault","return_to":"https://evil.example/"}"#, #"{"subject":"a","provider":"vault","return_to":7}"#,
    #"{"subject":"a","provider":"vault","redirect":"x"}"#, "[]", "", "not json",
  ])
  func badTicket(_ body: String) async throws {
    let response = await call("POST", "connect-tickets", body)
    #expect(response.status == 400)
    #expect(response.fields["Content-Type"] == "application/problem+json")
    #expect(await call("POST", "connect-tickets", #"{"subject":"a","provider":"vault"}"#, type: "text/plain").status == 400)
  }

  @Test("connections come in pages, each once, and never with a token")
  func pages() async throws {
    for subject in ["a", "b", "c"] { try await connect(subject) }
    var subjects: [String] = []
    var target = "connections?limit=2"
    for _ in 0..<3 {
      let response = await call("GET", target)
      #expect(!String(decoding: response.body, as: UTF8.self).contains("vault-"))
      let page = try json(response)
      subjects += try #require(page["connections"]?.array).compactMap { $0.object?["subject"]?.string }
      guard let cursor = page["next_cursor"]?.string else { break }
      target = "connections?limit=2&cursor=\(cursor)"
    }
    #expect(subjects == ["a", "b", "c"])
    for bad in ["limit=0", "limit=501", "limit=x", "cursor=x", "limit=1&limit=1", "order=up"] {
      #expect(await call("GET", "connections?\(bad)").status == 400, "\(bad)")
    }
  }

  @Test("one connection is shown, refreshed and ended; ending it twice is no fault, and refreshing it then is")
  func lifecycle() async throws {
    try await connect("alice-id")
    let id = try #require(
      try json(await call("GET", "connections"))["connections"]?.array?.first?.object?["id"]?.string)
    #expect(try json(await call("GET", "connections/\(id)"))["state"] == "active")
    #expect(await call("POST", "connections/\(id)/refresh").status == 200)
    #expect(server.connections.users.first?.row.generation == 2)
    #expect(await call("DELETE", "connections/\(id)").status == 204)
    #expect(await call("DELETE", "connections/\(id)").status == 204)
    #expect(server.provider.requests.filter { $0.url.target == "/revoke" }.count == 1)
    #expect(try json(await call("GET", "connections/\(id)"))["state"] == "revoked")
    #expect(await call("POST", "connections/\(id)/refresh").status == 409)
    for (method, target, status) in [
      ("GET", "connections/nonsense", 404), ("GET", "connections/\(id)/x", 404), ("PUT", "connections/\(id)", 405),
      ("POST", "connections", 405), ("GET", "connect-tickets", 405), ("GET", "connections/\(id)/refresh", 405), ("GET", "x", 404),
    ] {
      let response = await call(method, target)
      #expect(response.status == status, "\(method) \(target)")
      #expect((response.fields["Allow"] != nil) == (status == 405))
    }
  }
}
