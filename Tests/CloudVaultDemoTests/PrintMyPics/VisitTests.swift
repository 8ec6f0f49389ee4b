import Cryptography
import OAuthCore
import PosternTesting
import ReverseProxy
import Testing

@testable import CloudVaultDemo

struct VisitTests {
  private static let issuer = "https://postern.example"
  private static let now = Timestamp(seconds: 1_750_000_000)

  private let asked = PendingAuthorization(at: now, random: SeededRandom())
  private var visit = Visit()

  init() { visit.ask(asked) }

  /// What a browser brings; by default, what it should.
  private func answer(
    state: String? = nil, _ rest: String = "&code=c0de&iss=https%3A%2F%2Fpostern.example"
  ) throws -> AuthorizationAnswer {
    try AuthorizationAnswer(query: "state=\(state ?? asked.state.exposedText)\(rest)")
  }

  private func redeem(
    _ visit: inout Visit, _ answer: AuthorizationAnswer, at now: Timestamp = Self.now
  ) throws -> Visit.RedeemableCode {
    try visit.redeem(answer, issuer: Self.issuer, at: now)
  }

  // MARK: What is refused

  @Test("RFC 6749 §10.12: an answer without state is refused, whatever else it says", arguments: [
    nil, "", "code=c0de", "state=&code=c0de", "state&code=c0de", "error=access_denied",
  ])
  func stateMissing(query: String?) {
    #expect(throws: AnswerRefusal.stateMissing) { try AuthorizationAnswer(query: query) }
  }

  @Test("RFC 6749 §3.1: an answer that two readers could read differently is refused", arguments: [
    "state=a&state=b&code=c", "state=a&code=c&code=d", "state=a&code=c&iss=x&iss=y", "state=%zz&code=c", "state=a%00&code=c",
  ])
  func unreadable(query: String) {
    #expect(throws: AnswerRefusal.unreadable) { try AuthorizationAnswer(query: query) }
  }

  @Test("RFC 6749 §10.12: another state is refused and does not use up the request", arguments: [
    "x", "X", "prefix", "suffix", "error",
  ])
  func stateDifferent(change: String) throws {
    let state = asked.state.exposedText
    let others = [
      "x": "x", "X": state.uppercased(), "prefix": String(state.dropLast()), "suffix": state + "A",
      "error": "other&error=access_denied",
    ]
    var visit = visit
    #expect(throws: AnswerRefusal.stateDifferent) { try redeem(&visit, try answer(state: others[change])) }
    #expect(try redeem(&visit, try answer()).code == Secret("c0de"))
  }

  @Test("RFC 6749 §10.12: an answer to a question that this browser did not ask is refused")
  func notAsked() throws {
    var stranger = Visit()
    #expect(throws: AnswerRefusal.notAsked) { try redeem(&stranger, try answer()) }
  }

  @Test("A replayed answer is refused")
  func replayed() throws {
    var visit = visit
    _ = try redeem(&visit, try answer())
    #expect(throws: AnswerRefusal.notAsked) { try redeem(&visit, try answer()) }
  }

  @Test("An answer to an earlier question is refused once there is a later one")
  func replaced() throws {
    var visit = visit
    visit.ask(PendingAuthorization(at: Self.now, random: SeededRandom(seed: 2)))
    #expect(throws: AnswerRefusal.stateDifferent) { try redeem(&visit, try answer()) }
  }

  @Test("An answer is good for ten minutes, and too late at their end")
  func expired() throws {
    var (late, timely) = (visit, visit)
    let end = Self.now + PendingAuthorization.lifetime
    #expect(throws: AnswerRefusal.expired) { try redeem(&late, try answer(), at: end) }
    #expect(throws: AnswerRefusal.notAsked) { try redeem(&late, try answer()) }
    #expect(try redeem(&timely, try answer(), at: end - .microseconds(1)).code == Secret("c0de"))
  }

  @Test("RFC 9207 §2.4: an answer whose iss is missing or different is refused, and uses the request up", arguments: [
    "&code=c0de", "&code=c0de&iss=", "&code=c0de&iss=https%3A%2F%2Fevil.example", "&code=c0de&iss=https%3A%2F%2Fpostern.example%2F",
    "&code=c0de&iss=https%3A%2F%2FPOSTERN.example", "&error=access_denied", "&error=access_denied&iss=https%3A%2F%2Fevil.example",
  ])
  func issuerDifferent(rest: String) throws {
    var visit = visit
    #expect(throws: AnswerRefusal.issuerDifferent) { try redeem(&visit, try answer(rest)) }
    #expect(throws: AnswerRefusal.notAsked) { try redeem(&visit, try answer()) }
  }

  @Test("RFC 6749 §4.1.2.1: a denial is told from other errors, and beats a code", arguments: [
    ("access_denied", AnswerRefusal.denied), ("server_error", .failed(code: "server_error")),
    ("invalid_scope", .failed(code: "invalid_scope")), ("Access_Denied", .failed(code: "Access_Denied")),
  ])
  func errors(code: String, refusal: AnswerRefusal) throws {
    var visit = visit
    let rest = "&code=c0de&error=\(code)&iss=https%3A%2F%2Fpostern.example"
    #expect(throws: refusal) { try redeem(&visit, try answer(rest)) }
    #expect(visit.pending == nil)
  }

  @Test("An answer with neither code nor error is refused")
  func codeMissing() throws {
    var visit = visit
    #expect(throws: AnswerRefusal.codeMissing) { try redeem(&visit, try answer("&code=&iss=https%3A%2F%2Fpostern.example")) }
  }

  // MARK: What is accepted and asked

  @Test("RFC 7636 §4.5: the answer to our question gives the code, with the verifier of that question")
  func redeemed() throws {
    var visit = visit
    #expect(try redeem(&visit, try answer()) == Visit.RedeemableCode(code: Secret("c0de"), verifier: asked.verifier))
  }

  @Test("RFC 7636 §4.1, RFC 6749 §10.10: state and verifier have 256 bits each, and never occur twice")
  func unpredictable() {
    let other = PendingAuthorization(at: Self.now, random: SeededRandom(seed: 2))
    let secrets = [asked.state, asked.verifier, other.state, other.verifier]
    #expect(Set(secrets.map(\.exposedText)).count == 4)
    for secret in secrets { #expect(Base64URL.decode(secret.exposedText)?.count == 32) }
    #expect(ProofKey.isVerifier(asked.verifier.exposedText))
  }

  @Test("RFC 7636 §4.3: the browser carries the challenge, and never the verifier")
  func location() throws {
    let client = DemoClient(
      issuer: try Origin(Self.issuer), id: ClientID("printmypics"), secret: Secret("s3cret"),
      redirectURI: "http://127.0.0.1:8081/printmypics/callback")
    let location = asked.location(for: client)
    #expect(!location.contains(asked.verifier.exposedText))
    #expect(!location.contains("s3cret"))
    let parts = location.split(separator: "?", maxSplits: 1)
    #expect(parts[0] == "https://postern.example/oauth/authorize")
    let form = try FormDecoder.decode(Array(parts[1].utf8))
    #expect(form["response_type"] == "code")
    #expect(form["client_id"] == "printmypics")
    #expect(form["redirect_uri"] == "http://127.0.0.1:8081/printmypics/callback")
    #expect(form["scope"] == "photos.read")
    #expect(form["state"] == asked.state.exposedText)
    #expect(form["code_challenge_method"] == "S256")
    let challenge = try #require(form["code_challenge"].flatMap { ProofKey.Challenge($0) })
    #expect(ProofKey.verify(asked.verifier, challenge))
  }
}
