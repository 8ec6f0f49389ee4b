import JSON
import Testing

@testable import Cryptography

@Suite("JSON Web Token")
struct JWTTests {
  static let now: Int64 = 1_800_000_000
  static let issuer = "https://postern.example"

  let key = SigningKey.generate(.edDSA)
  let claims: JSONObject = [
    "iss": .string(issuer), "aud": "https://api.example", "sub": "alice", "exp": .integer(now + 60),
  ]
  let expectation = JWTExpectation(type: "at+jwt", issuer: issuer, audiences: ["https://api.example"])

  /// Signs the usual claims with changes and verifies them.
  func verify(
    _ changes: [String: JSON] = [:], without removed: String = "", type: String = "at+jwt",
    expecting expectation: JWTExpectation? = nil
  ) throws -> JWT {
    var claims = claims
    for (name, value) in changes { claims[name] = value }
    claims[removed] = nil
    let keys = VerificationKeySet(keys: [try VerificationKey(key.publicJWK)])
    return try JWT.verify(
      JWT.sign(claims, type: type, with: key), with: keys, expecting: expectation ?? self.expectation, now: Self.now)
  }

  @Test("RFC 7519 §7.2: a token that meets every expectation is accepted")
  func accepted() throws {
    let jwt = try verify()
    #expect(jwt.claims == claims)
    #expect(jwt.header.type == "at+jwt")
    #expect(jwt.header.keyID == key.id)
  }

  @Test("RFC 7519 §4.1.4: on its expiration time a token is no longer accepted")
  func expiry() throws {
    #expect(throws: JWTError.expired) { try verify(["exp": .integer(Self.now)]) }
    #expect(throws: JWTError.expired) { try verify(["exp": .integer(Self.now - 1)]) }
    #expect(throws: JWTError.expired) { try verify(["exp": .number(Double(Self.now) - 0.5)]) }
    _ = try verify(["exp": .integer(Self.now + 1)])
    _ = try verify(["exp": .number(Double(Self.now) + 0.5)])
  }

  @Test("RFC 7519 §4.1.5: before its nbf a token is not accepted")
  func notBefore() throws {
    #expect(throws: JWTError.notYetValid) { try verify(["nbf": .integer(Self.now + 1)]) }
    _ = try verify(["nbf": .integer(Self.now)])
  }

  @Test("The leeway widens both ends, and ends itself")
  func leeway() throws {
    let lenient = JWTExpectation(type: nil, issuer: nil, audiences: nil, leeway: .seconds(30))
    _ = try verify(["exp": .integer(Self.now - 29)], expecting: lenient)
    #expect(throws: JWTError.expired) { try verify(["exp": .integer(Self.now - 30)], expecting: lenient) }
    _ = try verify(["nbf": .integer(Self.now + 30)], expecting: lenient)
    #expect(throws: JWTError.notYetValid) { try verify(["nbf": .integer(Self.now + 31)], expecting: lenient) }
  }

  @Test("RFC 7519 §2: times are numbers, and `exp` is there")
  func dates() {
    #expect(throws: JWTError.malformedClaim("exp")) { try verify(without: "exp") }
    #expect(throws: JWTError.malformedClaim("exp")) { try verify(["exp": "1900000000"]) }
    #expect(throws: JWTError.malformedClaim("exp")) { try verify(["exp": .null]) }
    #expect(throws: JWTError.malformedClaim("nbf")) { try verify(["nbf": "0"]) }
    #expect(throws: JWTError.expired) { try verify(["exp": .integer(.min)]) }
    #expect(throws: JWTError.notYetValid) { try verify(["nbf": .integer(.max)]) }
  }

  @Test("RFC 7519 §4.1.1: another issuer is refused, byte for byte", arguments: [
    "https://postern.example/", "https://Postern.example", "", "https://evil.example",
  ])
  func issuers(issuer: String) {
    #expect(throws: JWTError.wrongIssuer) { try verify(["iss": .string(issuer)]) }
  }

  @Test("RFC 7519 §7.3: a canonically equivalent issuer is another issuer")
  func normalization() throws {
    let expectation = JWTExpectation(type: nil, issuer: "K", audiences: nil)
    // U+212A, KELVIN SIGN, is equivalent to K.
    #expect(throws: JWTError.wrongIssuer) { try verify(["iss": "\u{212A}"], expecting: expectation) }
    _ = try verify(["iss": "K"], expecting: expectation)
  }

  @Test("RFC 7519 §4.1.1: a missing issuer, or one that is no string, is refused")
  func missingIssuer() {
    #expect(throws: JWTError.wrongIssuer) { try verify(without: "iss") }
    #expect(throws: JWTError.wrongIssuer) { try verify(["iss": [.string(Self.issuer)]]) }
  }

  @Test("RFC 7519 §4.1.3: a token for somebody else is refused; one of several audiences is enough")
  func audiences() throws {
    #expect(throws: JWTError.wrongAudience) { try verify(["aud": "https://other.example"]) }
    #expect(throws: JWTError.wrongAudience) { try verify(without: "aud") }
    #expect(throws: JWTError.wrongAudience) { try verify(["aud": []]) }
    #expect(throws: JWTError.malformedClaim("aud")) { try verify(["aud": 7]) }
    #expect(throws: JWTError.malformedClaim("aud")) { try verify(["aud": ["https://api.example", 7]]) }
    _ = try verify(["aud": ["https://other.example", "https://api.example"]])
  }

  @Test("RFC 8725 §3.11: a token of another type is refused", arguments: ["JWT", "", "logout+jwt", "application/jwt"])
  func types(type: String) {
    #expect(throws: JWTError.wrongType) { try verify(type: type) }
  }

  @Test("RFC 7515 §4.1.9: the type is a media type, perhaps without application/", arguments: [
    "at+jwt", "AT+JWT", "application/at+jwt",
  ])
  func equivalentTypes(type: String) throws {
    _ = try verify(type: type)
  }

  @Test("RFC 7519 §7.2: a token without typ is refused where one is expected")
  func missingType() throws {
    let keys = VerificationKeySet(keys: [try VerificationKey(key.publicJWK)])
    let token = JWS.sign(claims.bytes, type: nil, with: key)
    #expect(throws: JWTError.wrongType) { try JWT.verify(token, with: keys, expecting: expectation, now: Self.now) }
  }

  @Test("RFC 7519 §7.2: claims are a JSON object with unique members", arguments: [
    "", "[]", "7", "{", #"{"exp":1900000000,"exp":1}"#, #"{"exp":1900000000}x"#,
  ])
  func claimsForm(payload: String) throws {
    let keys = VerificationKeySet(keys: [try VerificationKey(key.publicJWK)])
    let token = JWS.sign(ascii(payload), type: "at+jwt", with: key)
    #expect(throws: JWTError.malformed) { try JWT.verify(token, with: keys, expecting: expectation, now: Self.now) }
  }

  @Test("The signature is checked before anything is believed")
  func signatureFirst() throws {
    let stranger = VerificationKeySet(keys: [try VerificationKey(SigningKey.generate(.edDSA, id: key.id).publicJWK)])
    let token = JWT.sign(["exp": 0], type: "at+jwt", with: key)
    #expect(throws: JWTError.signature(.badSignature)) {
      try JWT.verify(token, with: stranger, expecting: expectation, now: Self.now)
    }
  }
}
