import Testing

@testable import Cryptography

@Suite("AES-256-GCM")
struct AEADTests {
  struct Vector: Sendable {
    let key, nonce, associatedData, plaintext, ciphertext, tag: String
  }

  /// Source: NIST CAVP, gcmEncryptExtIV256.rsp, sections with 96-bit nonce and 128-bit tag.
  static let vectors = [
    Vector(
      key: "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4", nonce: "516c33929df5a3284ff463d7",
      associatedData: "", plaintext: "", ciphertext: "", tag: "bdc1ac884d332457a1d2664f168c76f0"),
    Vector(
      key: "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22", nonce: "0d18e06c7c725ac9e362e1ce",
      associatedData: "", plaintext: "2db5168e932556f8089a0622981d017d", ciphertext: "fa4362189661d163fcd6a56d8bf0405a",
      tag: "d636ac1bbedd5cc3ee727dc2ab4a9489"),
    Vector(
      key: "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b", nonce: "ac93a1a6145299bde902f21a",
      associatedData: "1e0889016f67601c8ebea4943bc23ad6", plaintext: "2d71bcfa914e4ac045b2aa60955fad24",
      ciphertext: "8995ae2e6df3dbf96fac7b7137bae67f", tag: "eca5aa77d51d4a0a14d9c51e1da474ab"),
    Vector(
      key: "97431e565e8370a4879de962746a2fd67eca868b1c8e51eece2c1f94f74af407", nonce: "17fb63066e2726d282ecc610",
      associatedData: "78e7374da7c77be5938de8dd76cf0308618306a9", plaintext: "e21629cc973fbe40176e621d9d",
      ciphertext: "80dbd469de480389ba6c2fca52", tag: "4e284abb8b4f9f13c7497ae56df05fa5"),
    Vector(
      key: "c277df045d0a1a3956958f271055c229d2634427b1d73e99d54920da69f72e01", nonce: "79e24f84bc77a21a6cb14ee2",
      associatedData: """
        ca09282238d492029afbd30ea9b4aa9d448d77b4b41a791c35ebe3f8e5034ac71210117a843fae647cea020712c27e
        5c8f85acf933d5e28430c7770862d8dbb197cbbcfe49dd63f6aa05fbd13e32c459342698dfee5935c7c321
        """,
      plaintext: """
        5ca68d858cc30b1cb0514c4e9de98e1a1a835df401f69e9ec6f1bcb1158f09114dff551683b3827457f77e17a7097b1ea69eac
        """,
      ciphertext: """
        5c5223c8eda59a8dc28b08e6c21482a46e5d84d32c7050bf144fc57f4e8094de133198da7b4b8398b167204aff837da15d9ab2
        """,
      tag: "378885950a4491bee3cd681d3c957b9a"),
  ]

  @Test("NIST CAVP: sealing and opening give the published bytes", arguments: vectors)
  func knownAnswers(vector: Vector) {
    let key = Secret(bytes: hex(vector.key))
    let associatedData = hex(vector.associatedData)
    let sealed = AEAD.seal(
      hex(vector.plaintext), key: key, associatedData: associatedData, after: [], nonce: hex(vector.nonce))
    #expect(sealed == hex(vector.nonce + vector.ciphertext + vector.tag))
    #expect(AEAD.open(sealed, key: key, associatedData: associatedData) == hex(vector.plaintext))
  }

  let key = Secret(bytes: [UInt8](repeating: 9, count: 32))

  @Test("SP 800-38D §7.2: a changed bit anywhere opens nothing")
  func tampered() {
    let sealed = AEAD.seal(ascii("secret"), key: key, associatedData: ascii("row 1"))
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 0x80
      #expect(AEAD.open(changed, key: key, associatedData: ascii("row 1")) == nil)
    }
  }

  @Test("SP 800-38D §7.2: another key, other associated data or a cut message opens nothing")
  func wrongContext() {
    let sealed = AEAD.seal(ascii("secret"), key: key, associatedData: ascii("row 1"))
    #expect(AEAD.open(sealed, key: key, associatedData: ascii("row 2")) == nil)
    #expect(AEAD.open(sealed, key: key, associatedData: []) == nil)
    #expect(AEAD.open(sealed, key: Secret(bytes: [UInt8](repeating: 8, count: 32)), associatedData: ascii("row 1")) == nil)
    for count in 0..<sealed.count {
      #expect(AEAD.open(Array(sealed.prefix(count)), key: key, associatedData: ascii("row 1")) == nil)
    }
    #expect(AEAD.open(sealed + [0], key: key, associatedData: ascii("row 1")) == nil)
    #expect(AEAD.open(sealed, key: key, associatedData: ascii("row 1")) == ascii("secret"))
  }

  @Test("SP 800-38D §8: the same plaintext is never sealed under the same nonce")
  func nonces() {
    let nonces = Set((0..<1000).map { _ in Array(AEAD.seal([], key: key, associatedData: []).prefix(12)) })
    #expect(nonces.count == 1000)
  }
}
