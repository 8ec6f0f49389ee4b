import HTTPWire
import JSON
import OAuthCore
import Testing

@testable import GatewayServer

struct ClientEndpointTests {
  private let endpoint = ClientEndpoint(isOpenToScripts: true) { request in
    EndpointResponse(
      status: 200, fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
      body: Array("\(request.contentType ?? "-") \(request.authorizationField ?? "-") \(request.query ?? "-") ".utf8)
        + request.body)
  }

  @Test("RFC 6749 §3.2: the client must use POST", arguments: ["GET", "HEAD", "PUT", "DELETE", "PATCH", "post"])
  func method(name: String) async throws {
    let response = await endpoint.respond(to: HTTPRequest(method: name, path: "/oauth/token"))
    #expect(response.status == 405)
    #expect(response.fields["Allow"] == "POST")
    #expect(response.fields["Cache-Control"] == "no-store")
    #expect(try JSON(parsing: response.body).object?["error"] == "invalid_request")
  }

  @Test(
    "RFC 6749 §2.3: two Authorization fields are two methods, and two content types two readings",
    arguments: ["Authorization", "Content-Type"])
  func repeatedField(name: String) async throws {
    var request = HTTPRequest(method: "POST", path: "/oauth/token", fields: [name: "a", name: "a"])
    request.body = Array("grant_type=client_credentials".utf8)
    let response = await endpoint.respond(to: request)
    #expect(response.status == 400)
    #expect(try JSON(parsing: response.body).object?["error"] == "invalid_request")
  }

  @Test("what the client sent reaches the core as it is")
  func passing() async {
    let request = HTTPRequest(
      method: "POST", path: "/oauth/token", query: "q", fields: ["content-type": "t", "authorization": "a"],
      body: Array("body".utf8))
    let response = await endpoint.respond(to: request)
    #expect(String(decoding: response.body, as: UTF8.self) == "t a q body")
  }

  @Test("Fetch §3.3: scripts of any origin may call it, never with cookies")
  func crossOrigin() async {
    let preflight = await endpoint.respond(
      to: HTTPRequest(
        method: "OPTIONS", path: "/oauth/token",
        fields: ["Origin": "https://app.example", "Access-Control-Request-Method": "POST"]))
    #expect(preflight.status == 204)
    #expect(preflight.fields["Access-Control-Allow-Methods"] == "POST")
    #expect(preflight.fields["Access-Control-Allow-Credentials"] == nil)

    let answer = await endpoint.respond(
      to: HTTPRequest(method: "POST", path: "/oauth/token", fields: ["Origin": "https://app.example"]))
    #expect(answer.fields["Access-Control-Allow-Origin"] == "*")
    #expect(answer.fields["Access-Control-Allow-Credentials"] == nil)
  }

  @Test("introspection is for servers: scripts cannot read it")
  func closedToScripts() async {
    let endpoint = ClientEndpoint(isOpenToScripts: false) { _ in EndpointResponse(status: 200) }
    let preflight = await endpoint.respond(to: HTTPRequest(method: "OPTIONS", path: "/oauth/introspect"))
    #expect(preflight.status == 405)
    let answer = await endpoint.respond(to: HTTPRequest(method: "POST", path: "/oauth/introspect"))
    #expect(answer.fields["Access-Control-Allow-Origin"] == nil)
  }
}
