import Testing

@testable import Cryptography

@Suite("HKDF")
struct HKDFTests {
  @Test("RFC 5869 A.1: basic test case with SHA-256")
  func basic() {
    let derived = HKDF.derive(
      from: Secret(bytes: [UInt8](repeating: 0x0b, count: 22)), info: hex("f0f1f2f3f4f5f6f7f8f9"),
      salt: hex("000102030405060708090a0b0c"), byteCount: 42)
    #expect(
      derived.exposedBytes
        == hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
  }

  @Test("RFC 5869 A.2: longer inputs and outputs")
  func long() {
    let derived = HKDF.derive(
      from: Secret(bytes: Array(0x00...0x4f)), info: Array(0xb0...0xff), salt: Array(0x60...0xaf), byteCount: 82)
    #expect(
      derived.exposedBytes
        == hex(
          """
          b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
          da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87
          """))
  }

  @Test("RFC 5869 A.3: no salt and no info")
  func empty() {
    let derived = HKDF.derive(from: Secret(bytes: [UInt8](repeating: 0x0b, count: 22)), info: "", byteCount: 42)
    #expect(
      derived.exposedBytes
        == hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
  }

  @Test("RFC 5869 §3.2: another info gives an independent secret")
  func separation() {
    let secret = Secret(bytes: [UInt8](repeating: 7, count: 32))
    #expect(HKDF.derive(from: secret, info: "a", byteCount: 32) != HKDF.derive(from: secret, info: "b", byteCount: 32))
  }
}
