import Cryptography
import JSON
import Testing

@testable import ReverseProxy

@Suite("Whom a presented token is shown to")
struct TokenDispatchTests {
  static let own = "https://auth.example.com"
  static let other = ForeignIssuer(identifier: "https://other.example")
  static let dispatch = TokenDispatch(ownIssuer: own, foreignIssuers: [Stranger.name, other.identifier])
  static let everybody = AccessPolicy(accepts: [
    .introspection(.example(), audience: nil), .own, .issuer(ForeignIssuer(identifier: Stranger.name), audience: "gw"),
  ])
  static let endpointOnly = AccessPolicy(accepts: [.introspection(.example(), audience: nil)])

  private func name(_ token: String, _ access: AccessPolicy = everybody) -> String {
    switch Self.dispatch.destination(of: Array(token.utf8), on: access) {
    case .own: "own"
    case .issuer(let issuer, _): issuer.identifier
    case .introspection: "endpoint"
    case .nobody: "nobody"
    }
  }

  @Test("A handle of Postern's never leaves it: not when forged, not when the route does not take it", arguments: [
    "pat_", "pat_x", "prt_AAAA", "psk_AAAA", "pss_a.b.c", "pac_x",
  ])
  func handles(token: String) {
    #expect(name(token) == "own")
    #expect(name(token, Self.endpointOnly) == "nobody")
  }

  @Test("A JWT that names Postern never leaves it")
  func ownTokens() {
    let token = Stranger().token(["iss": .string(Self.own)])
    #expect(name(token) == "own")
    #expect(name(token, Self.endpointOnly) == "nobody")
  }

  @Test("A JWT of an issuer that any route takes is shown to no endpoint")
  func foreignTokens() {
    let stranger = Stranger()
    #expect(name(stranger.token()) == Stranger.name)
    #expect(name(stranger.token(), Self.endpointOnly) == "nobody")
    #expect(name(stranger.token(["iss": .string(Self.other.identifier)])) == "nobody")
    // Whatever is wrong with it otherwise.
    let unsigned = "\(Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))).\(Base64URL.encode(Stranger.claims().bytes))."
    #expect(name(unsigned) == Stranger.name)
  }

  @Test("RFC 8259 §4: a JWT that two readers could read differently is shown to nobody", arguments: [
    #"{"iss":"https://unknown.example","iss":"https://auth.example.com"}"#, "[]", #""text""#, "", "{",
  ])
  func ambiguous(claims: String) {
    for header in [#"{"alg":"ES256"}"#, " \n\t{\"alg\":\"ES256\"}", #"{"alg":"ES256","alg":"none"}"#] {
      #expect(name("\(Base64URL.encode(Array(header.utf8))).\(Base64URL.encode(Array(claims.utf8))).AAAA") == "nobody")
    }
  }

  @Test("Everything else goes to the one endpoint of the route, or to nobody", arguments: [
    "opaque", "ya29.a0AfH6SMB", "a.b.c", "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d", "PAT_x", "patx",
  ])
  func opaque(token: String) {
    #expect(name(token) == "endpoint")
    #expect(name(token, AccessPolicy()) == "own")
    #expect(name(token, AccessPolicy(accepts: [.issuer(ForeignIssuer(identifier: Stranger.name), audience: "gw")])) == "nobody")
  }

  @Test("JWTs of issuers that nobody knows, or without one, are the endpoint's business")
  func unknownIssuers() {
    let stranger = Stranger()
    #expect(name(stranger.token(["iss": "https://unknown.example"])) == "endpoint")
    #expect(name(stranger.token(["iss": .null])) == "endpoint")
    #expect(name(stranger.token(["iss": 7])) == "endpoint")
  }

  @Test("A policy takes a source's facts only where it is listed, under the same terms, for its audience")
  func policy() throws {
    let stranger = Stranger()
    let issuer = ForeignIssuer(identifier: Stranger.name)
    let facts = try stranger.judge(stranger.token(["aud": ["gw", "x"]])).facts
    func decide(_ access: AccessPolicy, _ source: TokenSource = .issuer(issuer)) -> AccessDecision {
      access.decide(facts.authorization, from: source, expiresAt: facts.expiresAt, at: Stranger.now)
    }
    #expect(decide(AccessPolicy()) == .deny(.invalidToken))
    #expect(decide(AccessPolicy(accepts: [.issuer(issuer, audience: "gw")])) == .allow)
    #expect(decide(AccessPolicy(accepts: [.own, .issuer(issuer, audience: "gateway")])) == .deny(.invalidToken))
    #expect(decide(AccessPolicy(accepts: [.issuer(issuer, audience: "g"), .issuer(issuer, audience: "x")])) == .allow)
    #expect(decide(AccessPolicy(accepts: [.issuer(Self.other, audience: "gw")])) == .deny(.invalidToken))
    let narrower = ForeignIssuer(identifier: Stranger.name, algorithms: [.edDSA])
    #expect(decide(AccessPolicy(accepts: [.issuer(narrower, audience: "gw")])) == .deny(.invalidToken))
    // The entry's audience stands in for the one that Postern's own tokens must have.
    let both = AccessPolicy(accepts: [.own, .issuer(issuer, audience: "gw")], audience: "https://gw.example.com/crm")
    #expect(decide(both) == .allow)
    #expect(decide(both, .own) == .deny(.invalidToken))
    let endpoint = IntrospectionService.example()
    let asked = AccessPolicy(accepts: [.introspection(endpoint, audience: nil)], audience: "https://gw.example.com/crm")
    #expect(decide(asked, .introspection(endpoint)) == .deny(.invalidToken))
    #expect(decide(AccessPolicy(accepts: [.introspection(endpoint, audience: nil)]), .introspection(endpoint)) == .allow)
  }
}
