import Testing

@testable import Cryptography

@Suite("HMAC-SHA256")
struct HMACSHA256Tests {
  struct Vector: Sendable {
    let key: [UInt8]
    let message: [UInt8]
    let code: String
  }

  /// Source: RFC 4231 §4.2 to §4.8; §4.6 shows the first 16 bytes.
  static let vectors = [
    Vector(
      key: [UInt8](repeating: 0x0b, count: 20), message: ascii("Hi There"),
      code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    Vector(
      key: ascii("Jefe"), message: ascii("what do ya want for nothing?"),
      code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    Vector(
      key: [UInt8](repeating: 0xaa, count: 20), message: [UInt8](repeating: 0xdd, count: 50),
      code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    Vector(
      key: Array(0x01...0x19), message: [UInt8](repeating: 0xcd, count: 50),
      code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    Vector(
      key: [UInt8](repeating: 0x0c, count: 20), message: ascii("Test With Truncation"),
      code: "a3b6167473100ee06e0c796c2955552b"),
    Vector(
      key: [UInt8](repeating: 0xaa, count: 131), message: ascii("Test Using Larger Than Block-Size Key - Hash Key First"),
      code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    Vector(
      key: [UInt8](repeating: 0xaa, count: 131),
      message: ascii(
        "This is a test using a larger than block-size key and a larger than block-size data. "
          + "The key needs to be hashed before being used by the HMAC algorithm."),
      code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
  ]

  @Test("RFC 4231 §4: the codes of the standard's test cases", arguments: vectors)
  func knownAnswers(vector: Vector) {
    let code = HMACSHA256.authenticate(vector.message, key: Secret(bytes: vector.key))
    #expect(Array(code.bytes.prefix(vector.code.count / 2)) == hex(vector.code))
  }

  @Test("Another key or message gives another code")
  func differs() {
    let key = Secret("key")
    let code = HMACSHA256.authenticate(ascii("message"), key: key)
    #expect(HMACSHA256.authenticate(ascii("message"), key: key) == code)
    #expect(HMACSHA256.authenticate(ascii("messagf"), key: key) != code)
    #expect(HMACSHA256.authenticate(ascii("message"), key: Secret("kez")) != code)
    #expect(HMACSHA256.authenticate([], key: key) != code)
  }
}
