import JSON
import Testing

@testable import Cryptography

@Suite("Interoperability with joserfc", .enabled(if: Peer.isInstalled || Peer.isRequired))
struct JoserfcTests {
  static let now: Int64 = 1_800_000_000
  let claims: JSONObject = [
    "iss": "https://postern.example", "aud": ["a", "b"], "exp": 4_000_000_000, "sub": "Åsa \u{1F511}", "n": 1,
  ]
  let expectation = JWTExpectation(type: "at+jwt", issuer: "https://postern.example", audiences: ["b"])

  @Test("joserfc verifies what we sign, from the key set we publish", arguments: SigningAlgorithm.allCases)
  func ours(algorithm: SigningAlgorithm) throws {
    let key = SigningKey.generate(algorithm)
    let answer = try Peer.ask([
      "do": "verify", "algorithm": .string(algorithm.rawValue),
      "token": .string(JWT.sign(claims, type: "at+jwt", with: key)),
      "keys": .object(JWKSet(keys: [SigningKey.generate(algorithm).jwk, key.jwk]).publicJSON),
    ])
    #expect(answer["claims"]?.object == claims)
    #expect(answer["header"]?.object?["kid"] == .string(key.id))
  }

  @Test("We verify what joserfc signs, from the key set it publishes", arguments: SignatureAlgorithm.allCases)
  func theirs(algorithm: SignatureAlgorithm) throws {
    let answer = try Peer.ask(["do": "sign", "algorithm": .string(algorithm.rawValue), "claims": .object(claims)])
    let token = try #require(answer["token"]?.string)
    let set = try JWKSet(parsing: try #require(answer["keys"]).bytes)
    let jwt = try JWT.verify(token, with: VerificationKeySet(set), expecting: expectation, now: Self.now)
    #expect(jwt.claims == claims)
    #expect(jwt.header.algorithm == algorithm)
  }

  @Test("We refuse what joserfc signs with the same key by another algorithm than the key's", arguments: [
    SignatureAlgorithm.rs256, .rs384, .rs512, .ps256,
  ])
  func otherAlgorithm(algorithm: SignatureAlgorithm) throws {
    let answer = try Peer.ask(["do": "sign", "algorithm": .string(algorithm.rawValue), "claims": .object(claims)])
    let token = try #require(answer["token"]?.string)
    var key = try #require(answer["keys"]?.object?["keys"]?.array?.first?.object)
    for other in [SignatureAlgorithm.rs256, .rs384, .rs512, .ps256] {
      key["alg"] = .string(other.rawValue)
      let keys = VerificationKeySet(JWKSet(keys: [try JWK(key)]))
      let isRead = (try? JWT.verify(token, with: keys, expecting: expectation, now: Self.now)) != nil
      #expect(isRead == (other == algorithm))
      // Nor when the header is believed and only the key is another's.
      let parts = token.split(separator: ".").map { Array($0.utf8) }
      #expect(keys.keys[0].verifies(Base64URL.decode(parts[2])!, of: parts[0] + [0x2e] + parts[1]) == (other == algorithm))
    }
  }

  @Test("joserfc refuses what we signed with another key", arguments: SigningAlgorithm.allCases)
  func refused(algorithm: SigningAlgorithm) {
    let key = SigningKey.generate(algorithm, id: "same")
    let token = JWT.sign(claims, type: "at+jwt", with: SigningKey.generate(algorithm, id: "same"))
    #expect { () throws in
      _ = try Peer.ask([
        "do": "verify", "algorithm": .string(algorithm.rawValue), "token": .string(token),
        "keys": .object(JWKSet(keys: [key.jwk]).publicJSON),
      ])
    } throws: { error in
      "\(error)".contains("BadSignature")
    }
  }

  @Test("RFC 7638: both compute the same thumbprint", arguments: SigningAlgorithm.allCases)
  func thumbprints(algorithm: SigningAlgorithm) throws {
    let key = SigningKey.generate(algorithm)
    let answer = try Peer.ask(["do": "thumbprint", "key": .object(key.publicJWK.publicJSON)])
    #expect(answer["thumbprint"] == .string(key.publicJWK.thumbprintText))
  }
}
