import JSON
import Testing

@testable import Cryptography

@Suite("Signing and verification keys")
struct KeysTests {
  @Test("A generated key verifies what it signed, and only that", arguments: SigningAlgorithm.allCases)
  func generated(algorithm: SigningAlgorithm) throws {
    let key = SigningKey.generate(algorithm)
    let verifier = try VerificationKey(key.publicJWK)
    let signature = key.sign(ascii("message"))
    #expect(signature.count == 64)
    #expect(verifier.verifies(signature, of: ascii("message")))
    #expect(!verifier.verifies(signature, of: ascii("massage")))
    #expect(!(try VerificationKey(SigningKey.generate(algorithm).publicJWK)).verifies(signature, of: ascii("message")))
    for index in signature.indices {
      var changed = signature
      changed[index] ^= 0x01
      #expect(!verifier.verifies(changed, of: ascii("message")))
    }
  }

  @Test("RFC 7518 §3.4: an ES256 signature is r and s in 32 bytes each; DER and other lengths are refused")
  func rawSignatures() throws {
    let key = SigningKey.generate(.es256)
    let verifier = try VerificationKey(key.publicJWK)
    let signature = key.sign(ascii("message"))
    let der = try #require(ECDSASignature.der(raw: signature))
    #expect(ECDSASignature.raw(der: der) == signature)
    for wrong in [der, [], Array(signature.dropLast()), signature + [0], [UInt8](repeating: 0, count: 64)] {
      #expect(!verifier.verifies(wrong, of: ascii("message")))
    }
  }

  @Test("RFC 7518 §3.4: numbers that are short of 32 bytes are padded, over many signatures")
  func paddedSignatures() throws {
    let key = SigningKey.generate(.es256)
    let verifier = try VerificationKey(key.publicJWK)
    for number in 0..<600 {
      let message = ascii("message \(number)")
      #expect(verifier.verifies(key.sign(message), of: message))
    }
  }

  @Test("RFC 8037 A.4: the signature of the Ed25519 key is the published one")
  func deterministic() throws {
    let key = try SigningKey(try jwk(Vectors.rfc8037Ed25519))
    let parts = Vectors.rfc8037EdDSA.split(separator: ".").map(String.init)
    #expect(Base64URL.encode(key.sign(ascii("\(parts[0]).\(parts[1])"))) == parts[2])
  }

  @Test("RFC 7638 §1: a key without an id is called by its thumbprint")
  func ids() throws {
    let key = SigningKey.generate(.es256)
    #expect(key.id == key.publicJWK.thumbprintText)
    #expect(SigningKey.generate(.edDSA, id: "2026-11").publicJWK.id == "2026-11")
    #expect(try SigningKey(try jwk(Vectors.rfc8037Ed25519)).id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
  }

  @Test("A key survives the store", arguments: SigningAlgorithm.allCases)
  func stored(algorithm: SigningAlgorithm) throws {
    let key = SigningKey.generate(algorithm)
    let restored = try SigningKey(JWK(parsing: key.jwk.exposedPrivateJSON.bytes))
    #expect(restored.id == key.id)
    #expect(try VerificationKey(key.publicJWK).verifies(restored.sign(ascii("m")), of: ascii("m")))
  }

  @Test("RFC 8725 §3.4: a point off the curve is no key")
  func offCurve() throws {
    let good = try jwk(Vectors.rfc7515EC)
    guard case .p256(let x, var y, let d) = good.material else { return #expect(Bool(false), "the vector is EC") }
    y[31] ^= 1
    #expect(throws: JWKError.inconsistent) { try VerificationKey(JWK(id: nil, material: .p256(x: x, y: y, d: nil))) }
    let zero = [UInt8](repeating: 0, count: 32)
    #expect(throws: JWKError.inconsistent) { try VerificationKey(JWK(id: nil, material: .p256(x: zero, y: zero, d: nil))) }
    #expect(throws: JWKError.inconsistent) { try SigningKey(JWK(id: nil, material: .p256(x: x, y: y, d: d))) }
  }

  @Test("RFC 8725 §3.4, RFC 7518 §3.4: on P-384 points are checked, signatures have 96 bytes, and Postern makes none")
  func p384() throws {
    // The generator. Source: SEC 2 §2.5.1.
    let x: [UInt8] = [
      0xaa, 0x87, 0xca, 0x22, 0xbe, 0x8b, 0x05, 0x37, 0x8e, 0xb1, 0xc7, 0x1e, 0xf3, 0x20, 0xad, 0x74, 0x6e, 0x1d, 0x3b, 0x62,
      0x8b, 0xa7, 0x9b, 0x98, 0x59, 0xf7, 0x41, 0xe0, 0x82, 0x54, 0x2a, 0x38, 0x55, 0x02, 0xf2, 0x5d, 0xbf, 0x55, 0x29, 0x6c,
      0x3a, 0x54, 0x5e, 0x38, 0x72, 0x76, 0x0a, 0xb7,
    ]
    var y: [UInt8] = [
      0x36, 0x17, 0xde, 0x4a, 0x96, 0x26, 0x2c, 0x6f, 0x5d, 0x9e, 0x98, 0xbf, 0x92, 0x92, 0xdc, 0x29, 0xf8, 0xf4, 0x1d, 0xbd,
      0x28, 0x9a, 0x14, 0x7c, 0xe9, 0xda, 0x31, 0x13, 0xb5, 0xf0, 0xb8, 0xc0, 0x0a, 0x60, 0xb1, 0xce, 0x1d, 0x7e, 0x81, 0x9d,
      0x7a, 0x43, 0x1d, 0x7c, 0x90, 0xea, 0x0e, 0x5f,
    ]
    let key = try VerificationKey(JWK(id: nil, material: .p384(x: x, y: y)))
    #expect(key.algorithm == .es384)
    for count in [0, 64, 95, 96, 97] {
      #expect(!key.verifies([UInt8](repeating: 1, count: count), of: ascii("message")))
    }
    #expect(throws: JWKError.noPrivateKey) { try SigningKey(JWK(id: nil, material: .p384(x: x, y: y))) }
    y[47] ^= 1
    #expect(throws: JWKError.inconsistent) { try VerificationKey(JWK(id: nil, material: .p384(x: x, y: y))) }
  }

  @Test("A private half that belongs to another key is refused", arguments: SigningAlgorithm.allCases)
  func mismatchedHalves(algorithm: SigningAlgorithm) {
    let material: JWK.Material? =
      switch (SigningKey.generate(algorithm).jwk.material, SigningKey.generate(algorithm).jwk.material) {
      case (.p256(let x, let y, _), .p256(_, _, let d)): .p256(x: x, y: y, d: d)
      case (.ed25519(let x, _), .ed25519(_, let d)): .ed25519(x: x, d: d)
      default: nil
      }
    #expect(throws: JWKError.inconsistent) { try SigningKey(JWK(id: nil, material: try #require(material))) }
  }

  @Test("A private key of zero or above the order of the curve is refused", arguments: [UInt8(0), 0xff])
  func privateKeyRange(byte: UInt8) throws {
    guard case .p256(let x, let y, _) = try jwk(Vectors.rfc7515EC).material else { return }
    let d = Secret(bytes: [UInt8](repeating: byte, count: 32))
    #expect(throws: JWKError.inconsistent) { try SigningKey(JWK(id: nil, material: .p256(x: x, y: y, d: d))) }
  }

  @Test("A public key does not sign, and RSA never does")
  func noPrivateHalf() throws {
    let key = SigningKey.generate(.es256)
    #expect(throws: JWKError.noPrivateKey) { try SigningKey(key.publicJWK) }
    #expect(throws: JWKError.noPrivateKey) { try SigningKey(try jwk(Vectors.rfc7515RSA)) }
  }

  @Test("RFC 7518 §3.3: RSA keys under 2048 bits, over 8192 or with a useless exponent are refused")
  func rsaSizes() throws {
    func modulus(bitCount: Int) -> [UInt8] {
      var bytes = [UInt8](repeating: 0xff, count: (bitCount + 7) / 8)
      bytes[0] = 0xff >> UInt8((8 - bitCount % 8) % 8)
      return bytes
    }
    for bitCount in [8, 1024, 2040, 2047, 8193, 16384] {
      let material = JWK.Material.rsa(modulus: modulus(bitCount: bitCount), exponent: [1, 0, 1])
      #expect(throws: JWKError.unacceptableRSAKey) { try VerificationKey(JWK(id: nil, material: material)) }
    }
    for exponent: [UInt8] in [[], [1], [2], [1, 0, 0], [1, 0, 0, 0, 1]] {
      let material = JWK.Material.rsa(modulus: modulus(bitCount: 2048), exponent: exponent)
      #expect(throws: JWKError.unacceptableRSAKey) { try VerificationKey(JWK(id: nil, material: material)) }
    }
    _ = try VerificationKey(JWK(id: nil, material: .rsa(modulus: modulus(bitCount: 2048), exponent: [1, 0, 1])))
  }

  @Test("One key serves many threads at once", arguments: SigningAlgorithm.allCases)
  func threads(algorithm: SigningAlgorithm) async throws {
    let key = SigningKey.generate(algorithm)
    let verifier = try VerificationKey(key.publicJWK)
    await withTaskGroup(of: Bool.self) { group in
      for task in 0..<4 {
        group.addTask {
          (0..<50).allSatisfy { verifier.verifies(key.sign(ascii("\(task) \($0)")), of: ascii("\(task) \($0)")) }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
