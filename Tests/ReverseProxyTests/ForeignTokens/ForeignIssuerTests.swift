import Cryptography
import JSON
import OAuthCore
import Testing

@testable import ReverseProxy

@Suite("JWTs of foreign issuers")
struct ForeignIssuerTests {
  let stranger = Stranger()

  @Test("RFC 9068 §4: a token of another type is refused, an ID token above all", arguments: [
    "JWT", "jwt", "at+jwt2", "application/jwt", "logout+jwt", "dpop+jwt", "",
  ])
  func types(type: String) {
    #expect(stranger.refusal(stranger.token(type: type)) == .type(type))
  }

  @Test("RFC 7515 §4.1.9: a type is compared without case and without application/", arguments: [
    "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt",
  ])
  func goodTypes(type: String) {
    #expect(stranger.refusal(stranger.token(type: type)) == nil)
  }

  @Test("With type: jwt, JWT and no type at all are taken, other kinds are not")
  func untyped() {
    let issuer = ForeignIssuer(identifier: Stranger.name, tokenType: .jwt)
    #expect(stranger.refusal(stranger.token(type: "JWT"), by: issuer) == nil)
    #expect(stranger.refusal(stranger.token(), by: issuer) == nil)
    #expect(stranger.refusal(stranger.token(type: "logout+jwt"), by: issuer) == .type("logout+jwt"))
    #expect(stranger.refusal(stranger.token(type: "dpop+jwt"), by: issuer) == .type("dpop+jwt"))
  }

  @Test("RFC 8725 §2.1: neither none nor an HMAC under the public key is a signature", arguments: ["none", "HS256", "HS512"])
  func algorithmConfusion(algorithm: String) {
    let header: JSONObject = ["alg": .string(algorithm), "typ": "at+jwt", "kid": "k1"]
    let input = "\(Base64URL.encode(header.bytes)).\(Base64URL.encode(Stranger.claims().bytes))"
    let secrets = [stranger.key.publicJWK.publicJSON.bytes, Array("k1".utf8), [0]]
    for secret in secrets {
      let code = HMACSHA256.authenticate(Array(input.utf8), key: Secret(bytes: secret))
      let token = "\(input).\(algorithm == "none" ? "" : Base64URL.encode(code.bytes))"
      #expect(stranger.refusal(token) == .signature(.unsupportedAlgorithm))
    }
  }

  @Test("An algorithm that is not accepted of the issuer is refused though its key is published")
  func algorithms() {
    let issuer = ForeignIssuer(identifier: Stranger.name, algorithms: [.rs256, .edDSA])
    #expect(stranger.refusal(stranger.token(), by: issuer) == .algorithm("ES256"))
    let other = Stranger(.edDSA)
    #expect(other.refusal(other.token(), by: issuer) == nil)
  }

  @Test("RFC 8725 §3.10: keys that a token brings or points to are nobody's")
  func ownKeys() {
    let thief = Stranger()
    #expect(stranger.refusal(thief.token()) == .signature(.badSignature))
    let header: JSONObject = [
      "alg": "ES256", "typ": "at+jwt", "jwk": .object(thief.key.publicJWK.publicJSON), "jku": "https://thief.example/jwks",
      "x5u": "https://thief.example/x5u",
    ]
    let input = "\(Base64URL.encode(header.bytes)).\(Base64URL.encode(Stranger.claims().bytes))"
    #expect(stranger.refusal("\(input).\(Base64URL.encode(thief.key.sign(Array(input.utf8))))") == .signature(.badSignature))
  }

  @Test("RFC 8725 §3.8: another iss is refused though the key is right", arguments: [
    "https://idp.example/", "https://IDP.example", "https://idp.example.evil", "https://other.example", "",
  ])
  func issuers(name: String) {
    #expect(stranger.refusal(stranger.token(["iss": .string(name)])) == .wrongIssuer)
    #expect(stranger.refusal(stranger.token(["iss": .null])) == .wrongIssuer)
  }

  @Test("RFC 9068 §2.2: claims that are missing or of the wrong form", arguments: [
    (["exp": .null], "exp"), (["exp": "1700000600"], "exp"), (["exp": 253_402_300_800], "exp"), (["exp": -1], "exp"),
    (["exp": .number(1e300)], "exp"), (["nbf": "x"], "nbf"), (["iat": true], "iat"),
    (["sub": .null, "client_id": .null], "sub"), (["sub": 7], "sub"), (["sub": ""], "sub"), (["sub": "a\u{0}b"], "sub"),
    (["sub": "\u{212A}elvin"], "sub"), (["sub": .string(String(repeating: "a", count: 256))], "sub"),
    (["client_id": ["app"]], "client_id"), (["aud": 7], "aud"), (["aud": ["gw", 7]], "aud"), (["scope": 7], "scope"),
    (["scope": ["a", 7]], "scope"),
  ] as [(JSONObject, String)])
  func claims(changes: JSONObject, name: String) {
    #expect(stranger.refusal(stranger.token(changes)) == .malformed(name))
  }

  @Test("RFC 8259 §4: claims with a repeated member are refused")
  func repeatedClaims() {
    let claims = #"{"iss":"https://idp.example","sub":"a","sub":"b","aud":"gw","exp":1700000600}"#
    let header: JSONObject = ["alg": "ES256", "typ": "at+jwt"]
    let input = "\(Base64URL.encode(header.bytes)).\(Base64URL.encode(Array(claims.utf8)))"
    let token = Array("\(input).\(Base64URL.encode(stranger.key.sign(Array(input.utf8))))".utf8)
    #expect(throws: JWSError.malformed) { try UnverifiedJWT(token) }
  }

  @Test("RFC 7519 §4.1: exp, nbf and iat are looked at, with the skew and not a second more")
  func times() {
    let now = Stranger.now.seconds
    #expect(stranger.refusal(stranger.token(["exp": .integer(now - 30)])) == .expired)
    #expect(stranger.refusal(stranger.token(["exp": .integer(now - 29)])) == nil)
    #expect(stranger.refusal(stranger.token(["nbf": .integer(now + 31)])) == .notYetValid)
    #expect(stranger.refusal(stranger.token(["nbf": .integer(now + 30)])) == nil)
    #expect(stranger.refusal(stranger.token(["iat": .integer(now + 31)])) == .notYetValid)
    let exact = ForeignIssuer(identifier: Stranger.name, clockSkew: .zero)
    #expect(stranger.refusal(stranger.token(["exp": .integer(now)]), by: exact) == .expired)
    #expect(stranger.refusal(stranger.token(["exp": .number(Double(now) + 1.5)]), by: exact) == nil)
  }

  @Test("RFC 9449 §7; RFC 8705 §3: a token bound to its sender's key is no bearer token")
  func senderConstrained() throws {
    #expect(stranger.refusal(stranger.token(["cnf": ["jkt": "x"]])) == .senderConstrained)
    #expect(stranger.refusal(stranger.token(["cnf": [:]])) == .senderConstrained)
    let thumbprint = Base64URL.encode(SHA256.digest("certificate").bytes)
    let both: JSONObject = ["cnf": ["x5t#S256": .string(thumbprint), "jkt": "x"]]
    #expect(stranger.refusal(stranger.token(both)) == .senderConstrained)
    let bound = try stranger.judge(stranger.token(["cnf": ["x5t#S256": .string(thumbprint)]]))
    #expect(bound.facts.constraint == SenderConstraint(certificate: Array("certificate".utf8)))
    #expect(try stranger.judge(stranger.token()).facts.constraint == .bearer)
  }

  @Test("A stranger's alice is not Alice, nor another stranger's; claims of his are not taken over")
  func names() throws {
    let vouched = try stranger.judge(stranger.token(["auth_time": 1_699_999_000, "role": "admin"]))
    #expect(vouched.facts.subject == Subject("https://idp.example#alice"))
    #expect(vouched.facts.client == ClientID("https://idp.example#app"))
    #expect(vouched.facts.client.objection != nil, "no client of Postern's may have such a name")
    #expect(vouched.facts.authorization.claims.isEmpty)
    #expect(vouched.facts.authorization.authenticatedAt == Timestamp(seconds: 1_699_999_000))
    #expect(vouched.facts.expiresAt == Stranger.now + .seconds(630))
    let machine = try stranger.judge(stranger.token(["sub": .null]))
    #expect(machine.facts.subject.rawValue == "https://idp.example#app")
    // An issuer has no fragment, so a name cannot reach into another's.
    let other = try stranger.judge(
      stranger.token(["iss": "https://idp.example/a", "sub": "x#alice"]),
      by: ForeignIssuer(identifier: "https://idp.example/a"))
    #expect(other.facts.subject != (try stranger.judge(stranger.token(["sub": "/a#x#alice"])).facts.subject))
  }

  @Test("Scopes are read from scope, scp or the claim that is named, as a string or an array")
  func scopes() throws {
    func scope(_ changes: JSONObject, claim: String? = nil) throws -> String {
      try stranger.judge(
        stranger.token(changes), by: ForeignIssuer(identifier: Stranger.name, scopeClaim: claim)
      ).facts.scope.description
    }
    #expect(try scope([:]) == "crm.read")
    #expect(try scope(["scope": .null, "scp": ["a", "b"]]) == "a b")
    #expect(try scope(["scope": .null, "scp": "a  b "]) == "a b")
    #expect(try scope(["scp": ["a"]]) == "crm.read")
    #expect(try scope(["perms": ["x", "two words", "bad\\", "x"]], claim: "perms") == "x")
    #expect(try scope(["scope": .null]) == "")
    #expect(try scope([:], claim: "perms") == "")
  }

  @Test("A verdict is remembered until the keys are due, and ends with its key")
  func belief() throws {
    let vouched = try stranger.judge(stranger.token())
    let keys = stranger.fetched()
    #expect(vouched.believedUntil == keys.refreshAt)
    let thumbprint = try #require(keys.document.thumbprints.first)
    #expect(vouched.endedBy == [.foreignKeyWithdrawn(issuer: Stranger.name, key: thumbprint)])
    #expect(keys.believedUntil(at: keys.refreshAt) == keys.freshUntil)
    #expect(keys.believedUntil(at: keys.freshUntil) == keys.freshUntil + .seconds(1))
    #expect(keys.believedUntil(at: keys.staleUntil) == keys.staleUntil)
  }
}
