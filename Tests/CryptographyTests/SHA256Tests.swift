import Testing

@testable import Cryptography

@Suite("SHA-256")
struct SHA256Tests {
  @Test("FIPS 180-4: the digests of the standard's examples", arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func knownAnswers(message: String, digest: String) {
    #expect(SHA256.digest(ascii(message)).bytes == hex(digest))
    #expect(SHA256.digest(message).bytes == hex(digest))
    #expect(SHA256.digest(Secret(message)).bytes == hex(digest))
    ascii(message).withUnsafeBytes { bytes in #expect(SHA256.digest(bytes).bytes == hex(digest)) }
  }

  @Test("A digest is equal to itself only, bit for bit")
  func equality() throws {
    let digest = SHA256.digest(ascii("abc"))
    #expect(Digest256(bytes: digest.bytes) == digest)
    for index in 0..<32 {
      var bytes = digest.bytes
      bytes[index] ^= 0x01
      #expect(Digest256(bytes: bytes) != digest)
    }
    #expect(Digest256(bytes: digest.bytes.dropLast()) == nil)
    #expect(Digest256(bytes: digest.bytes + [0]) == nil)
  }

  @Test("Threads that digest at the same time do not disturb each other")
  func threads() async {
    let messages = (0..<64).map { [UInt8](repeating: UInt8($0), count: 1000 + $0) }
    let expected = messages.map { SHA256.digest($0) }
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          (0..<50).allSatisfy { _ in messages.map { SHA256.digest($0) } == expected }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
