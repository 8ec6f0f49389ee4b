import COpenSSL
import Testing

@testable import Cryptography

@Suite("OpenSSL error queue")
struct ErrorQueueTests {
  @Test("SSL_get_error(3): no refusal leaves a note for the TLS of the same thread")
  func staysEmpty() throws {
    ERR_clear_error()
    let key = Secret(bytes: [UInt8](repeating: 1, count: 32))
    #expect(AEAD.open([UInt8](repeating: 0, count: 64), key: key, associatedData: []) == nil)
    #expect(ERR_peek_error() == 0)

    var parameters = Parameters()
    parameters.add("pass", octets: [1])
    parameters.add("salt", octets: [1])
    // N has to be a power of two.
    parameters.add("n", number: 3)
    #expect(deriveKey(Algorithms.scrypt, parameters, byteCount: 32) == nil)
    #expect(ERR_peek_error() == 0)

    for algorithm in SigningAlgorithm.allCases {
      let verifier = try VerificationKey(SigningKey.generate(algorithm).publicJWK)
      for byte: UInt8 in [0, 1, 0xff] {
        #expect(!verifier.verifies([UInt8](repeating: byte, count: 64), of: [1]))
        #expect(!verifier.verifies([UInt8](repeating: byte, count: 63), of: [1]))
        #expect(ERR_peek_error() == 0)
      }
    }
    #expect(!(try VerificationKey(try jwk(Vectors.rfc7515RSA))).verifies([UInt8](repeating: 0xff, count: 256), of: [1]))
    #expect(ERR_peek_error() == 0)

    let ones = [UInt8](repeating: 1, count: 32)
    #expect(throws: JWKError.self) { try VerificationKey(JWK(id: nil, material: .p256(x: ones, y: ones, d: nil))) }
    #expect(throws: JWKError.self) { try SigningKey(JWK(id: nil, material: .ed25519(x: ones, d: Secret(bytes: ones)))) }
    #expect(ERR_peek_error() == 0)
  }
}
