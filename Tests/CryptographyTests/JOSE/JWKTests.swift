import JSON
import Testing

@testable import Cryptography

@Suite("JSON Web Key")
struct JWKTests {
  @Test("RFC 7638 §3.1: the thumbprint of the standard's RSA key")
  func thumbprintRSA() throws {
    let key = try jwk(#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#)
    #expect(key.thumbprintText == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
  }

  @Test("RFC 8037 A.3: the thumbprint of the standard's Ed25519 key")
  func thumbprintEd25519() throws {
    #expect(try jwk(Vectors.rfc8037Ed25519).thumbprintText == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
  }

  @Test("RFC 7638 §3: the thumbprint does not depend on kid, use or the private half")
  func thumbprintStable() throws {
    let key = try jwk(Vectors.rfc7515EC)
    #expect(JWK(id: "other", material: key.material).withoutPrivateKey.thumbprint == key.thumbprint)
  }

  @Test("RFC 7517: a key survives being written and read", arguments: [
    Vectors.rfc7515EC, Vectors.rfc7515RSA, Vectors.rfc7520RSA, Vectors.rfc8037Ed25519,
  ])
  func roundTrip(text: String) throws {
    let key = try jwk(text)
    #expect(try JWK(key.exposedPrivateJSON) == key)
    #expect(try JWK(parsing: key.publicJSON.bytes) == key.withoutPrivateKey)
  }

  @Test("RFC 7517 §9.2: neither the published form nor a description has the private half", arguments: [
    (Vectors.rfc7515EC, "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
    (Vectors.rfc8037Ed25519, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"),
  ])
  func privateHalfStays(text: String, d: String) throws {
    let key = try jwk(text)
    let raw = try #require(Base64URL.decode(d)).prefix(4).map(String.init).joined(separator: ", ")
    let published = String(decoding: key.publicJSON.bytes, as: UTF8.self)
    #expect(key.publicJSON["d"] == nil)
    for shown in [published, "\(key)", String(reflecting: key)] {
      #expect(!shown.contains(d))
      #expect(!shown.contains(raw))
    }
    #expect(key.exposedPrivateJSON["d"] == .string(d))
  }

  @Test("RFC 7517 §4: a key of another type, curve or use is refused", arguments: [
    (#"{"kty":"oct","k":"AyM32w-8O0TGsGDYX0MlWy-9XQP-xrryrP7gkXKfY5U"}"#, JWKError.unsupportedKeyType),
    (#"{"kty":"ec"}"#, .unsupportedKeyType),
    (#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#, .unsupportedCurve),
    (#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","alg":"ES256"}"#, .notForSignatures),
    (#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"ES384"}"#, .notForSignatures),
    (#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#, .unsupportedCurve),
    (#"{"kty":"OKP","crv":"X25519","x":"AA"}"#, .unsupportedCurve),
    (#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","alg":"HS256"}"#, .notForSignatures),
    (#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","alg":"PS512"}"#, .notForSignatures),
    (#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","use":"enc"}"#, .notForSignatures),
    (#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","key_ops":["encrypt"]}"#, .notForSignatures),
    (#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","key_ops":"verify"}"#, .malformedMember("key_ops")),
  ])
  func otherKeys(text: String, error: JWKError) {
    #expect(throws: error) { try jwk(text) }
  }

  @Test("RFC 7518 §6: members of the wrong form are refused", arguments: [
    (#"{"crv":"P-256"}"#, "kty"), (#"{"kty":7}"#, "kty"), (#"{"kty":"EC"}"#, "crv"),
    (#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}"#, "y"),
    (#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvR","y":"AA"}"#, "x"),
    (#"{"kty":"EC","crv":"P-384","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"AA"}"#, "x"),
    (#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}"#, "x"),
    (#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AA"}"#, "d"),
    (#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":1}"#, "kid"),
    (#"{"kty":"RSA","n":"","e":"AQAB"}"#, "n"), (#"{"kty":"RSA","n":"AAAA","e":"AQAB"}"#, "n"),
    (#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)"}"#, "e"),
  ])
  func malformedMembers(text: String, member: String) {
    #expect(throws: JWKError.malformedMember(member)) { try jwk(text) }
  }

  @Test("RFC 8259 §4: repeated members are refused, as is what is no object", arguments: [
    #"{"kty":"RSA","kty":"oct","n":"AQ","e":"AQAB"}"#, "[]", "", "nil", #""EC""#,
  ])
  func notAKey(text: String) {
    #expect { try jwk(text) } throws: { error in
      if case JWKError.malformed = error { true } else { false }
    }
  }

  @Test("RFC 7517 §5: keys of a set that we do not use are left out, the others stay")
  func set() throws {
    let set = try JWKSet(parsing: ascii(Vectors.rfc7517Set))
    #expect(set.keys.map(\.id) == ["2011-04-29"])
    #expect(VerificationKeySet(set).keys.count == 1)
    let mixed = #"{"keys":[7,{},{"kty":"new"},\#(Vectors.rfc7515EC),\#(Vectors.rfc8037Ed25519)],"other":1}"#
    #expect(try JWKSet(parsing: ascii(mixed)).keys.map(\.algorithm) == [.es256, .edDSA])
  }

  @Test("RFC 8725 §3.1: a key has the algorithm that it names, and one only", arguments: ["RS256", "RS384", "RS512", "PS256"])
  func namedAlgorithm(name: String) throws {
    let key = try jwk(#"{"kty":"RSA","n":"\#(Vectors.rfc7638Modulus)","e":"AQAB","alg":"\#(name)"}"#)
    #expect(key.algorithm.rawValue == name)
    #expect(try JWK(key.publicJSON) == key)
    #expect(VerificationKeySet(JWKSet(keys: [key])).candidates(id: nil, algorithm: .rs256).count == (name == "RS256" ? 1 : 0))
  }

  @Test("RFC 7517 §5: a set without keys array, or with too many keys, is refused")
  func badSets() {
    for text in ["{}", #"{"keys":{}}"#, "[]", "", #"{"keys":[],"keys":[]}"#] {
      #expect(throws: JWKError.self) { try JWKSet(parsing: ascii(text)) }
    }
    let many = [String](repeating: Vectors.rfc7515EC, count: 65).joined(separator: ",")
    #expect(throws: JWKError.self) { try JWKSet(parsing: ascii(#"{"keys":[\#(many)]}"#)) }
  }

  @Test("RFC 7517 §5: a published set has no private half")
  func publishedSet() throws {
    let set = JWKSet(keys: [try jwk(Vectors.rfc7515EC), SigningKey.generate(.edDSA).jwk])
    #expect(try #require(set.publicJSON["keys"]?.array).allSatisfy { $0.object?["d"] == nil })
    #expect(try JWKSet(parsing: set.publicJSON.bytes).keys == set.keys.map(\.withoutPrivateKey))
  }
}
