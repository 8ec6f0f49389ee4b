import HTTPWire
import OAuthCore
import Testing

@testable import GatewayServer

struct DocumentEndpointTests {
  private let endpoint = DocumentEndpoint {
    EndpointResponse(
      status: 200, fields: [("Content-Type", "application/json"), ("Cache-Control", "public, max-age=300")], body: Array("{}".utf8))
  }

  @Test("RFC 8414 §3.1: the document is read with GET, by anybody, and may be kept", arguments: ["GET", "HEAD"])
  func reading(method: String) async {
    let response = await endpoint.respond(to: HTTPRequest(method: method, path: "/.well-known/oauth-authorization-server"))
    #expect(response.status == 200)
    #expect(response.fields["Cache-Control"] == "public, max-age=300")
    #expect(response.fields["Access-Control-Allow-Origin"] == "*")
  }

  @Test("RFC 9110 §15.5.6: other methods are refused, and the answer names the right ones")
  func writing() async {
    let response = await endpoint.respond(to: HTTPRequest(method: "POST", path: "/oauth/jwks"))
    #expect(response.status == 405)
    #expect(response.fields["Allow"] == "GET, HEAD, OPTIONS")
  }
}
