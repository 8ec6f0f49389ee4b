import Broker
import Cryptography
import ReverseProxy
import Testing

@Suite("Header fields")
struct FieldRulesTests {
  @Test("A field that frames or routes the message, or that Postern sets, carries no credential in any spelling", arguments: [
    "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "transfer_encoding", "Upgrade", "Host", "HOST",
    "Content-Length",
    "content_type", "Proxy-Authorization", "proxy_anything", "X-Forwarded-For", "X_Forwarded_For", "Forwarded",
    "X-Real-IP",
    "X-Request-Id", "x_request_id", "Cookie", "Expect", "Via", "", "X Key", "X-Key:", "X-Key\r\nHost", "caf\u{e9}",
  ])
  func refusesCredentialField(name: String) {
    #expect(!FieldRules.canCarryCredential(name))
  }

  @Test("Any other token may", arguments: ["Authorization", "X-Api-Key", "api_key", "Private-Token", "X-Forward", "Contents"])
  func acceptsCredentialField(name: String) {
    #expect(FieldRules.canCarryCredential(name))
  }

  @Test("The field of a route's own credential is stripped from requests")
  func stripsCredentialField() throws {
    var route = try Route(name: "r", pattern: PathPattern("/**"), access: .anonymous, upstream: "u")
    #expect(route.strippedFields.isEmpty)
    route.credential = .apiKey(fieldName: "X_Api-Key", key: Secret("k"))
    #expect(route.strippedFields == [Array("x-api-key".utf8)])
    route.credential = .clientCredentials(provider: ProviderID("p"))
    #expect(route.strippedFields.isEmpty, "the wire cuts Authorization")
  }

  @Test("RFC 7617 §2: Basic credentials are the base64 of user-id, colon and password")
  func encodesBasic() {
    let aladdin = CredentialRule.basic(username: "Aladdin", password: Secret("open sesame"))
    #expect(aladdin.fixedValue?.exposedText == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    let unicode = CredentialRule.basic(username: "test", password: Secret("123\u{a3}"))
    #expect(unicode.fixedValue?.exposedText == "Basic dGVzdDoxMjPCow==")
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
