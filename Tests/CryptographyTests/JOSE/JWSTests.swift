import JSON
import Testing

@testable import Cryptography

@Suite("JSON Web Signature")
struct JWSTests {
  @Test("RFC 7515 A.2, A.3; RFC 7520 §4.1; RFC 8037 A.5: the published signatures verify", arguments: [
    (Vectors.rfc7515RS256, Vectors.rfc7515RSA, SignatureAlgorithm.rs256),
    (Vectors.rfc7515ES256, Vectors.rfc7515EC, .es256),
    (Vectors.rfc7520RS256, Vectors.rfc7520RSA, .rs256),
    (Vectors.rfc8037EdDSA, Vectors.rfc8037Ed25519, .edDSA),
  ])
  func published(token: String, key: String, algorithm: SignatureAlgorithm) throws {
    let jws = try JWS.verify(token, with: try keys(key))
    #expect(jws.header.algorithm == algorithm)
    #expect(Base64URL.encode(jws.payload) == token.split(separator: ".")[1])
  }

  @Test("RFC 8037 A.4: the compact form of the standard's payload")
  func sign() throws {
    let key = try SigningKey(JWK(id: "k", material: try jwk(Vectors.rfc8037Ed25519).material))
    let token = JWS.sign(ascii("Example of Ed25519 signing"), type: nil, with: key)
    let parts = token.split(separator: ".").map(String.init)
    #expect(Base64URL.decode(parts[0]) == ascii(#"{"alg":"EdDSA","kid":"k"}"#))
    #expect(try JWS.verify(token, with: try keys(Vectors.rfc8037Ed25519.replacing("{", with: #"{"kid":"k","#))).payload
      == ascii("Example of Ed25519 signing"))
  }

  @Test("RFC 8725 §2.1: `none` does not exist, in any spelling", arguments: ["none", "None", "NONE", "nOnE", ""])
  func none(algorithm: String) throws {
    let token = compact(header: #"{"alg":"\#(algorithm)"}"#)
    #expect(throws: JWSError.unsupportedAlgorithm) { try JWS.verify(token, with: try keys(Vectors.rfc7515EC)) }
  }

  @Test("RFC 8725 §2.1: an RSA or EC public key is no HMAC secret")
  func hmac() throws {
    for key in [Vectors.rfc7515RSA, Vectors.rfc7515EC] {
      // The attack: sign with HS256 under the public key's own bytes.
      let input = "\(Base64URL.encode(ascii(#"{"alg":"HS256"}"#))).\(Vectors.joe)"
      let code = HMACSHA256.authenticate(ascii(input), key: Secret(bytes: try jwk(key).publicJSON.bytes))
      let token = "\(input).\(Base64URL.encode(code.bytes))"
      #expect(throws: JWSError.unsupportedAlgorithm) { try JWS.verify(token, with: try keys(key)) }
    }
    #expect(throws: JWSError.unsupportedAlgorithm) {
      try JWS.verify(Vectors.rfc7515HS256, with: try keys(Vectors.rfc7515EC))
    }
  }

  @Test("RFC 8725 §3.1: a header cannot choose another algorithm for a key", arguments: ["ES256", "EdDSA", "RS256"])
  func algorithmIsBoundToKey(name: String) throws {
    let all = ["ES256": Vectors.rfc7515EC, "EdDSA": Vectors.rfc8037Ed25519, "RS256": Vectors.rfc7515RSA]
    let signer = SigningKey.generate(.es256)
    let token = compact(header: #"{"alg":"\#(name)"}"#, key: signer)
    for (algorithm, key) in all where algorithm != name {
      #expect(throws: JWSError.unknownKey(id: nil)) { try JWS.verify(token, with: try keys(key)) }
    }
  }

  @Test("RFC 7515 §4.1.1: the algorithm is case-sensitive, a string, and there", arguments: [
    #"{"alg":"es256"}"#, #"{"alg":"PS512"}"#, #"{"alg":"ES512"}"#, #"{"alg":1}"#, #"{"alg":null}"#, #"{"alg":["ES256"]}"#,
    "{}",
  ])
  func algorithmForms(header: String) throws {
    #expect(throws: JWSError.unsupportedAlgorithm) {
      try JWS.verify(compact(header: header), with: try keys(Vectors.rfc7515EC))
    }
  }

  @Test("RFC 7515 §4.1.11: `crit` is refused, whatever it names", arguments: [
    #"["b64"]"#, #"["exp"]"#, "[]", "null", #""b64""#,
  ])
  func critical(value: String) throws {
    let signer = SigningKey.generate(.es256)
    let token = compact(header: #"{"alg":"ES256","crit":\#(value),"b64":false}"#, key: signer)
    let keys = VerificationKeySet(keys: [try VerificationKey(signer.publicJWK)])
    #expect(throws: JWSError.criticalHeader) { try JWS.verify(token, with: keys) }
  }

  @Test("RFC 8725 §3.10: a token does not bring its own key")
  func embeddedKey() throws {
    let attacker = SigningKey.generate(.es256)
    let brought = String(decoding: attacker.publicJWK.publicJSON.bytes, as: UTF8.self)
    let pointers = #""jku":"https://evil.example/jwks","x5u":"https://evil.example/x","x5c":["AA"]"#
    let header = #"{"alg":"ES256","jwk":\#(brought),\#(pointers)}"#
    #expect(throws: JWSError.badSignature) {
      try JWS.verify(compact(header: header, key: attacker), with: try keys(Vectors.rfc7515EC))
    }
  }

  @Test("RFC 8259 §4: a header with a repeated member is refused", arguments: [
    #"{"alg":"ES256","alg":"none"}"#, #"{"alg":"none","alg":"ES256"}"#, #"{"alg":"ES256","\u0061lg":"ES256"}"#,
    #"{"alg":"ES256","kid":"a","kid":"b"}"#,
  ])
  func repeatedMembers(header: String) throws {
    let signer = SigningKey.generate(.es256)
    let keys = VerificationKeySet(keys: [try VerificationKey(signer.publicJWK)])
    #expect(throws: JWSError.malformed) { try JWS.verify(compact(header: header, key: signer), with: keys) }
  }

  @Test("RFC 7515 §5.2: what is not three canonical base64url parts is refused", arguments: [
    "", ".", "..", "a.b.c", "\(Vectors.rfc7515ES256).", ".\(Vectors.rfc7515ES256)", "\(Vectors.rfc7515ES256)=",
    " \(Vectors.rfc7515ES256)", "\(Vectors.rfc7515ES256)\n", "eyJhbGciOiJFUzI1NiJ9.\(Vectors.joe)",
    // The last character carries two bits over, which must be zero: Q is the only right one.
    String(Vectors.rfc7515ES256.dropLast()) + "R", "IkVTMjU2Ig.e30.AA", "W10.e30.AA", "eyJhbGciOiJFUzI1NiJ9e30.e30.AA",
  ])
  func malformed(token: String) throws {
    #expect(throws: JWSError.malformed) { try JWS.verify(token, with: try keys(Vectors.rfc7515EC)) }
  }

  @Test("RFC 7515 §5.2: a token cut anywhere, or with a changed character, does not verify")
  func tampered() throws {
    let keys = try keys(Vectors.rfc7515EC)
    let token = Vectors.rfc7515ES256
    for count in 0..<token.count {
      #expect(throws: JWSError.self) { try JWS.verify(String(token.prefix(count)), with: keys) }
    }
    for index in token.indices {
      let other = token[index] == "A" ? "B" : "A"
      #expect(throws: JWSError.self) { try JWS.verify(token.replacingCharacters(at: index, with: other), with: keys) }
    }
  }

  @Test("A token longer than the bound is not looked at")
  func tooLong() throws {
    let signer = SigningKey.generate(.edDSA)
    let keys = VerificationKeySet(keys: [try VerificationKey(signer.publicJWK)])
    let fits = JWS.sign([UInt8](repeating: 0, count: 12_000), type: nil, with: signer)
    #expect(fits.utf8.count < JWS.byteCountMax)
    #expect(try JWS.verify(fits, with: keys).payload.count == 12_000)
    let long = JWS.sign([UInt8](repeating: 0, count: 12_288), type: nil, with: signer)
    #expect(throws: JWSError.malformed) { try JWS.verify(long, with: keys) }
  }

  @Test("RFC 7515 §4.1.4: the key id picks the key; an unknown id is told apart from a bad signature")
  func keyIDs() throws {
    let first = SigningKey.generate(.es256, id: "1")
    let second = SigningKey.generate(.es256, id: "2")
    let both = VerificationKeySet(keys: try [first, second].map { try VerificationKey($0.publicJWK) })
    #expect(try JWS.verify(JWS.sign([], type: nil, with: second), with: both).header.keyID == "2")
    #expect(throws: JWSError.badSignature) {
      try JWS.verify(compact(header: #"{"alg":"ES256","kid":"1"}"#, key: second), with: both)
    }
    #expect(throws: JWSError.unknownKey(id: "3")) {
      try JWS.verify(compact(header: #"{"alg":"ES256","kid":"3"}"#, key: second), with: both)
    }
    #expect(throws: JWSError.malformed) {
      try JWS.verify(compact(header: #"{"alg":"ES256","kid":1}"#, key: second), with: both)
    }
    _ = try JWS.verify(compact(header: #"{"alg":"ES256"}"#, key: second), with: both)
    #expect(throws: JWSError.unknownKey(id: "2")) {
      try JWS.verify(JWS.sign([], type: nil, with: second), with: VerificationKeySet(keys: []))
    }
  }
}

extension String {
  fileprivate func replacingCharacters(at index: Index, with text: String) -> String {
    String(self[..<index]) + text + self[self.index(after: index)...]
  }

  @Test("RFC 7517 §4.5: keys that share an id are tried one after the other, four at most")
  func sharedIDs() throws {
    let signers = (0..<5).map { _ in SigningKey.generate(.edDSA, id: "same") }
    let keys = VerificationKeySet(JWKSet(keys: signers.map(\.publicJWK)))
    for (index, signer) in signers.enumerated() {
      let token = JWS.sign(ascii("{}"), type: nil, with: signer)
      if index < 4 {
        #expect(try UnverifiedJWT(ascii(token)).verify(with: keys) == signer.publicJWK.thumbprint)
      } else {
        #expect(throws: JWSError.badSignature) { try JWS.verify(token, with: keys) }
      }
    }
  }

  @Test("RFC 7515 §3.1: what is meant as a JWS is known by its form, well-formed or not", arguments: [
    (#"{"alg":"none"}"#, "{}", true), (" \n{", "", true), (#"{"alg""#, "x", true), (#""text""#, "{}", false), ("", "{}", false),
  ])
  func meaning(header: String, payload: String, isMeant: Bool) {
    let token = "\(Base64URL.encode(ascii(header))).\(Base64URL.encode(ascii(payload)))."
    #expect(UnverifiedJWT.isMeant(by: ascii(token)) == isMeant)
    #expect(!UnverifiedJWT.isMeant(by: ascii(token + ".")))
    #expect(!UnverifiedJWT.isMeant(by: ascii(String(token.dropLast()))))
  }
}
