import Broker
import Cryptography
import JSON
import OAuthCore
import Testing

@testable import ReverseProxy

@Suite("Introspection of foreign tokens")
struct IntrospectionTests {
  static let now = Stranger.now
  static let digest = SHA256.digest("t")

  private func verdict(
    _ body: String, status: Int = 200, by service: IntrospectionService = .example()
  ) -> IntrospectionService.Verdict {
    service.verdict(ProviderResponse(status: status, body: Secret(body)), digest: Self.digest, askedAt: Self.now)
  }

  private func refusal(_ body: String, by service: IntrospectionService = .example()) -> ForeignRefusal? {
    if case .refused(let refusal) = verdict(body, by: service) { refusal } else { nil }
  }

  private func vouched(_ body: String, by service: IntrospectionService = .example()) throws -> VouchedToken {
    guard case .active(let vouched) = verdict(body, by: service) else { throw Refused() }
    return vouched
  }

  private struct Refused: Error {}

  @Test("RFC 7662 §2.1: the question is a form with the token, by an authenticated client")
  func question() {
    let basic = IntrospectionService.example().request(about: Array("a+b/c=".utf8))
    #expect(basic.form?.exposedText == "token=a%2Bb%2Fc%3D&token_type_hint=access_token")
    #expect(basic.authorization?.exposedText == "Basic " + Base64.encode(Array("gw:s%3Ae%20c".utf8)))
    #expect(basic.bodyByteCountMax == 65_536)
    #expect(!basic.allowHTTP && !basic.allowPrivateAddresses)
    let post = IntrospectionService.example(authentication: .post).request(about: Array("t".utf8))
    #expect(post.form?.exposedText == "token=t&token_type_hint=access_token&client_id=gw&client_secret=s%3Ae%20c")
    #expect(post.authorization == nil)
  }

  @Test("RFC 7662 §2.2, §2.3: what is no answer says nothing of the token", arguments: [
    (200, ""), (200, "{}"), (200, #"{"active":"true"}"#), (200, #"{"active":1}"#), (200, "<html>"), (200, "true"),
    (200, #"{"active":false,"active":true}"#), (401, #"{"active":true,"sub":"a"}"#), (500, #"{"active":true,"sub":"a"}"#),
    (302, ""), (201, #"{"active":true,"sub":"a"}"#),
  ])
  func silence(status: Int, body: String) {
    guard case .noAnswer = verdict(body, status: status) else {
      Issue.record("\(status) \(body) is an answer")
      return
    }
  }

  @Test("RFC 7662 §2.2: an answer that vouches for nobody, or for something else, is a refusal", arguments: [
    (#"{"active":false}"#, ForeignRefusal.inactive), (#"{"active":false,"sub":"alice","exp":1700000600}"#, .inactive),
    (#"{"active":true}"#, .malformed("sub")), (#"{"active":true,"sub":"a","exp":1700000000}"#, .expired),
    (#"{"active":true,"sub":"a","exp":"soon"}"#, .malformed("exp")), (#"{"active":true,"sub":"a","nbf":1700000031}"#, .notYetValid),
    (#"{"active":true,"sub":"a","cnf":{"x5t#S256":"x"}}"#, .senderConstrained),
    (#"{"active":true,"sub":"a","token_type":"DPoP"}"#, .senderConstrained), (#"{"active":true,"sub":"a","iss":7}"#, .malformed("iss")),
  ] as [(String, ForeignRefusal)])
  func refused(body: String, expected: ForeignRefusal) {
    #expect(refusal(body) == expected)
  }

  @Test("An answer that names another issuer than the configured one is refused; names stand in that issuer's space")
  func issuers() throws {
    let service = IntrospectionService.example(issuer: Stranger.name)
    #expect(refusal(#"{"active":true,"sub":"a","iss":"https://other.example"}"#, by: service) == .wrongIssuer)
    #expect(try vouched(#"{"active":true,"sub":"a","iss":"https://idp.example"}"#, by: service).facts.subject.rawValue == "https://idp.example#a")
    #expect(try vouched(#"{"active":true,"sub":"a"}"#, by: service).facts.subject.rawValue == "https://idp.example#a")
    #expect(try vouched(#"{"active":true,"sub":"a","iss":"x"}"#).facts.subject.rawValue == "https://idp.example/introspect#a")
  }

  @Test("An answer is believed for `cache`, and never beyond the token's expiry")
  func belief() throws {
    #expect(try vouched(#"{"active":true,"sub":"a"}"#).believedUntil == Self.now + .seconds(30))
    let short = try vouched(#"{"active":true,"sub":"a","exp":1700000005,"scope":"a b","aud":"gw","client_id":"c"}"#)
    #expect(short.believedUntil == Self.now + .seconds(5))
    #expect(short.facts.expiresAt == Self.now + .seconds(5))
    #expect(short.facts.scope.description == "a b")
    #expect(short.facts.audience == ["gw"])
    #expect(short.facts.client.rawValue == "https://idp.example/introspect#c")
    #expect(short.endedBy.isEmpty)
  }

  @Test("One question for a token, however many ask; an answer serves the others while it is believed")
  func collapsed() throws {
    var tokens = IntrospectedTokens(.example())
    let answers = (0..<50).map { _ in tokens.find(Self.digest, at: Self.now) }
    #expect(answers.filter { if case .ask = $0 { true } else { false } }.count == 1)
    tokens.note(Self.digest, try vouched(#"{"active":true,"sub":"a"}"#), askedAt: Self.now)
    func isKnown(_ after: Duration) -> Bool { if case .vouched = tokens.find(Self.digest, at: Self.now + after) { true } else { false } }
    #expect(isKnown(.milliseconds(29_999)))
    #expect(!isKnown(.seconds(30)))
  }

  @Test("While the endpoint fails, only an answer younger than max_staleness serves, and it is asked again each second")
  func staleness() throws {
    let service = IntrospectionService.example(stalenessMax: .seconds(60))
    var tokens = IntrospectedTokens(service)
    _ = tokens.find(Self.digest, at: Self.now)
    tokens.note(Self.digest, try vouched(#"{"active":true,"sub":"a","exp":1700000050}"#, by: service), askedAt: Self.now)
    func fail(_ after: Duration) -> VouchedToken? {
      guard case .ask = tokens.find(Self.digest, at: Self.now + after) else {
        Issue.record("the endpoint is asked after \(after)")
        return nil
      }
      return tokens.fail(Self.digest, at: Self.now + after)
    }
    let stale = try #require(fail(.seconds(30)))
    #expect(stale.believedUntil == Self.now + .seconds(31))
    if case .vouched = tokens.find(Self.digest, at: Self.now + .milliseconds(30_500)) {} else { Issue.record("asked too soon") }
    #expect(fail(.milliseconds(49_500))?.believedUntil == Self.now + .seconds(50), "never beyond the token's own expiry")
    #expect(fail(.seconds(50)) == nil)

    var strict = IntrospectedTokens(.example())
    _ = strict.find(Self.digest, at: Self.now)
    strict.note(Self.digest, try vouched(#"{"active":true,"sub":"a"}"#), askedAt: Self.now)
    _ = strict.find(Self.digest, at: Self.now + .seconds(30))
    #expect(strict.fail(Self.digest, at: Self.now + .seconds(30)) == nil)
  }

  @Test("A token that is said to be inactive does not live on an older answer")
  func revoked() throws {
    let service = IntrospectionService.example(stalenessMax: .seconds(600))
    var tokens = IntrospectedTokens(service)
    _ = tokens.find(Self.digest, at: Self.now)
    tokens.note(Self.digest, try vouched(#"{"active":true,"sub":"a"}"#, by: service), askedAt: Self.now)
    _ = tokens.find(Self.digest, at: Self.now + .seconds(31))
    tokens.note(Self.digest, nil, askedAt: Self.now + .seconds(31))
    _ = tokens.find(Self.digest, at: Self.now + .seconds(40))
    #expect(tokens.fail(Self.digest, at: Self.now + .seconds(40)) == nil)
  }

  @Test("Questions under way and answers kept are bounded")
  func bounds() throws {
    var tokens = IntrospectedTokens(.example(), countMax: 10)
    for number in 0..<IntrospectedTokens.askingCountMax { _ = tokens.find(SHA256.digest("\(number)"), at: Self.now) }
    if case .overloaded = tokens.find(Self.digest, at: Self.now) {} else { Issue.record("one too many") }
    let vouched = try vouched(#"{"active":true,"sub":"a"}"#)
    for number in 0..<IntrospectedTokens.askingCountMax { tokens.note(SHA256.digest("\(number)"), vouched, askedAt: Self.now) }
    let knownCount = (0..<IntrospectedTokens.askingCountMax).filter { number in
      if case .vouched = tokens.find(SHA256.digest("\(number)"), at: Self.now) { true } else { false }
    }.count
    #expect((5...10).contains(knownCount))
  }
}
