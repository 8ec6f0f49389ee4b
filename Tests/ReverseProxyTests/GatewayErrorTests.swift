import HTTPWire
import ReverseProxy
import Testing

@Suite("Gateway errors")
struct GatewayErrorTests {
  static let errors: [(error: GatewayError, status: Int, type: String?)] = [
    (.badTarget(.dotSegment), 400, nil), (.routeNotFound, 404, nil), (.methodNotAllowed(allow: "GET"), 405, nil),
    (.bodyTooLarge, 413, nil),
    (.requestTimeout, 408, nil), (.accessDenied(.missingToken, AccessPolicy()), 401, nil),
    (.accessDenied(.insufficientScope, AccessPolicy()), 403, nil),
    (.destinationUnavailable(retryAfter: 9), 503, "destination_unavailable"),
    (.dnsError, 502, "dns_error"), (.connectionRefused, 502, "connection_refused"),
    (.connectionTimeout, 504, "connection_timeout"),
    (.connectionTerminated, 502, "connection_terminated"), (.connectionLimitReached, 503, "connection_limit_reached"),
    (.tlsProtocolError, 502, "tls_protocol_error"), (.tlsCertificateError, 502, "tls_certificate_error"),
    (.responseTimeout, 504, "http_response_timeout"), (.responseIncomplete, 502, "http_response_incomplete"),
    (.responseHeadTooLarge, 502, "http_response_header_section_size"), (.responseMalformed, 502, "http_protocol_error"),
    (.credentialUnavailable(retryable: true), 503, "proxy_internal_error"),
    (.credentialUnavailable(retryable: false), 502, "proxy_internal_error"),
    (.verificationUnavailable, 503, "proxy_internal_error"), (.overloaded, 503, "proxy_internal_error"),
    (.internalError, 500, "proxy_internal_error"),
  ]

  @Test("RFC 9209 §2.3: an error about the upstream names its type, others do not", arguments: errors)
  func answers(error: GatewayError, status: Int, type: String?) {
    let response = error.response(requestID: "r-1")
    #expect(response.status == status)
    #expect(response.fields["Proxy-Status"] == type.map { "postern; error=\($0)" })
    #expect(response.fields["Content-Type"] == "application/problem+json")
    #expect(response.fields["Cache-Control"] == "no-store")
    #expect(response.fields["X-Request-Id"] == "r-1")
    #expect((response.fields["Retry-After"] != nil) == (status == 503))
    let body = String(decoding: response.body, as: UTF8.self)
    #expect(body.contains("\"type\":\"urn:postern:error:\(error.code)\""))
    #expect(body.contains("\"status\":\(status)") && body.contains("\"request_id\":\"r-1\""))
  }

  @Test("RFC 9110 §10.2.3: the time to come again is told where it is known")
  func comesAgain() {
    #expect(GatewayError.destinationUnavailable(retryAfter: 9).response(requestID: "r").fields["Retry-After"] == "9")
    #expect(GatewayError.connectionLimitReached.response(requestID: "r").fields["Retry-After"] == "1")
  }

  @Test("RFC 9110 §15.5.6: 405 has Allow")
  func allows() {
    #expect(GatewayError.methodNotAllowed(allow: "GET, HEAD").response(requestID: "r").fields["Allow"] == "GET, HEAD")
  }

  @Test("RFC 6750 §3: 401 has WWW-Authenticate")
  func challenges() {
    let fields = GatewayError.accessDenied(.missingToken, AccessPolicy(requiredScopes: ["a"])).response(requestID: "r").fields
    #expect(fields["WWW-Authenticate"] == "Bearer realm=\"postern\", scope=\"a\"")
  }
}
