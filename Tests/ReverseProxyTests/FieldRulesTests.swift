import Broker
import Cryptography
import ReverseProxy
import Testing

@Suite("Header fields")
struct FieldRulesTests {
  @Test("RFC 9110 §7.6.1: hop-by-hop fields, claims about the caller and its token stay here, in any spelling", arguments: [
    "Authorization", "authorization", "AUTHORIZATION", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
    "Proxy-Authorization", "Proxy-Connection", "proxy-anything", "X-Forwarded-For", "x-forwarded-host", "X_Forwarded_For",
    "X-Forwarded_Proto", "x_forwarded_anything", "Forwarded", "X-Real-IP", "x_real_ip", "X-Request-Id", "X_REQUEST_ID", "Host",
    "proxy_authorization", "keep_alive", "transfer_encoding", "Client-Cert",
  ])
  func strips(name: String) {
    let isStripped = FieldRules.stripsFromRequest(Array(name.utf8).span)
    #expect(isStripped)
  }

  @Test("Everything else passes", arguments: [
    "Accept", "Content-Type", "Content-Length", "Cookie", "X-Forwarde", "X-Forwarded", "Forward", "Authorizations", "XForwardedFor",
    "Range", "If-None-Match", "Traceparent", "", "Proxy",
  ])
  func passes(name: String) {
    let isStripped = FieldRules.stripsFromRequest(Array(name.utf8).span)
    #expect(!isStripped)
  }

  @Test("A response loses its hop-by-hop fields", arguments: [
    ("Connection", true), ("Transfer-Encoding", true), ("keep_alive", true), ("Proxy-Authenticate", true), ("Set-Cookie", false),
    ("WWW-Authenticate", false), ("Content-Length", false),
  ])
  func stripsResponse(name: String, isStripped: Bool) {
    let result = FieldRules.stripsFromResponse(Array(name.utf8).span)
    #expect(result == isStripped)
  }

  @Test("The field of a route's own credential is stripped from requests")
  func stripsCredentialField() throws {
    var route = try Route(name: "r", pattern: PathPattern("/**"), access: .anonymous, upstream: "u")
    #expect(route.strippedFields.isEmpty)
    route.credential = .apiKey(fieldName: "X_Api-Key", key: Secret("k"))
    #expect(route.strippedFields == [Array("x-api-key".utf8)])
    route.credential = .clientCredentials(provider: ProviderID("p"))
    #expect(route.strippedFields.isEmpty, "Authorization is always stripped")
  }

  @Test("RFC 7617 §2: Basic credentials are the base64 of user-id, colon and password")
  func encodesBasic() {
    #expect(CredentialRule.basic(username: "Aladdin", password: Secret("open sesame")).fixedValue?.exposedText == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    #expect(CredentialRule.basic(username: "test", password: Secret("123\u{a3}")).fixedValue?.exposedText == "Basic dGVzdDoxMjPCow==")
    #expect(CredentialRule.none.fixedValue == nil)
    #expect(CredentialRule.clientCredentials(provider: ProviderID("p")).fixedValue == nil)
  }

  @Test("A printed credential shows no secret")
  func redacts() {
    let rule = CredentialRule.apiKey(fieldName: "X-Api-Key", key: Secret("s3cret-value"))
    #expect(!"\(rule)".contains("s3cret"))
    #expect(!String(reflecting: rule).contains("s3cret"))
  }
}

@Suite("Own cookies")
struct OwnCookiesTests {
  @Test("RFC 6265 §8.5: Postern's cookies do not reach an upstream", arguments: [
    ("__Host-postern_session=x", ""), ("postern_session=x", ""), ("a=1; __Host-postern_session=x; b=2", "a=1; b=2"),
    ("__Host-postern_session=x; a=1", "a=1"), ("a=1;postern=x", "a=1"), ("__SECURE-Postern-csrf=x; a=1", "a=1"),
    ("a=1;   __host-POSTERN=x  ;b=2", "a=1; b=2"),
  ])
  func removes(value: String, expected: String) {
    let kept = OwnCookies.removed(fromCookie: Array(value.utf8).span)
    #expect(kept.map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test("Other cookies pass byte for byte", arguments: ["", "a=1", "a=1;b=2", "xpostern=1", "a=postern", "__Host-a=postern", ";;"])
  func keeps(value: String) {
    let kept = OwnCookies.removed(fromCookie: Array(value.utf8).span)
    #expect(kept == nil)
  }

  @Test("An upstream cannot plant a cookie of Postern's name", arguments: [
    ("__Host-postern_session=x; Path=/", true), ("postern=x", true), ("a=1; postern=x", false), ("session=x", false),
  ])
  func refusesPlanted(value: String, isOwn: Bool) {
    let result = OwnCookies.isOwn(setCookie: Array(value.utf8).span)
    #expect(result == isOwn)
  }
}
