import Testing

@testable import Broker

@Suite("Metadata of foreign issuers")
struct IssuerMetadataTests {
  @Test("RFC 8414 §3.1, OpenID Connect Discovery §4.1: where the metadata is", arguments: [
    ("https://idp.example", ["https://idp.example/.well-known/oauth-authorization-server", "https://idp.example/.well-known/openid-configuration"]),
    ("https://idp.example/", ["https://idp.example/.well-known/oauth-authorization-server", "https://idp.example/.well-known/openid-configuration"]),
    ("https://idp.example:8443/realms/a",
     ["https://idp.example:8443/.well-known/oauth-authorization-server/realms/a", "https://idp.example:8443/realms/a/.well-known/openid-configuration"]),
  ])
  func locations(issuer: String, expected: [String]) {
    #expect(IssuerMetadata.locations(of: issuer).map(\.description) == expected)
  }

  @Test("RFC 8414 §3.3: a document that names another issuer is not used", arguments: [
    "https://idp.example/", "https://IDP.example", "https://thief.example", "",
  ])
  func mixUp(issuer: String) {
    let document = #"{"issuer":"\#(issuer)","jwks_uri":"https://idp.example/jwks"}"#
    #expect(throws: IssuerMetadata.Failure.otherIssuer) {
      try IssuerMetadata(parsing: Array(document.utf8), of: "https://idp.example", allowHTTP: false)
    }
  }

  @Test("Metadata without keys behind TLS, or that two readers could read differently, is refused", arguments: [
    (#"{"issuer":"https://idp.example"}"#, IssuerMetadata.Failure.badKeySetURL),
    (#"{"issuer":"https://idp.example","jwks_uri":"http://idp.example/jwks"}"#, .badKeySetURL),
    (#"{"issuer":"https://idp.example","jwks_uri":"file:///etc/passwd"}"#, .badKeySetURL),
    (#"{"issuer":"https://idp.example","jwks_uri":"https://u:p@idp.example/jwks"}"#, .badKeySetURL),
    (#"{"issuer":"https://idp.example","jwks_uri":7}"#, .badKeySetURL),
    (#"{"issuer":["https://idp.example"],"jwks_uri":"https://idp.example/jwks"}"#, .otherIssuer),
    (#"{"issuer":"https://thief.example","issuer":"https://idp.example"}"#, .malformed), ("[]", .malformed), ("<html>", .malformed),
  ])
  func refused(document: String, failure: IssuerMetadata.Failure) {
    #expect(throws: failure) {
      try IssuerMetadata(parsing: Array(document.utf8), of: "https://idp.example", allowHTTP: false).requireKeySetURL()
    }
  }

  @Test("Keys may be on another host, and without TLS where development allows it")
  func accepted() throws {
    let document = #"{"issuer":"https://idp.example","jwks_uri":"https://keys.example/jwks?v=1"}"#
    #expect(try IssuerMetadata(parsing: Array(document.utf8), of: "https://idp.example", allowHTTP: false).keySetURL?.host == "keys.example")
    let plain = #"{"issuer":"http://127.0.0.1:1","jwks_uri":"http://127.0.0.1:1/jwks"}"#
    #expect(try IssuerMetadata(parsing: Array(plain.utf8), of: "http://127.0.0.1:1", allowHTTP: true).keySetURL?.port == 1)
  }
}
