import Testing

@testable import Cryptography

@Suite("base64 and base64url")
struct Base64Tests {
  /// Source: RFC 4648 §10.
  static let vectors = [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ]

  @Test("RFC 4648 §10: the standard's test vectors", arguments: vectors)
  func knownAnswers(text: String, encoded: String) {
    #expect(Base64.encode(ascii(text)) == encoded)
    #expect(Base64.decode(encoded) == ascii(text))
    let unpadded = String(encoded.prefix { $0 != "=" })
    #expect(Base64URL.encode(ascii(text)) == unpadded)
    #expect(Base64URL.decode(unpadded) == ascii(text))
  }

  @Test("RFC 4648 §4 and §5: every character, in its order")
  func alphabets() {
    let values = (0..<16).flatMap { group in
      let bits = (0..<4).reduce(0) { $0 << 6 | (group * 4 + $1) }
      return [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
    }
    let common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    #expect(Base64.encode(values) == common + "+/")
    #expect(Base64URL.encode(values) == common + "-_")
    #expect(Base64.decode(common + "+/") == values)
    #expect(Base64URL.decode(common + "-_") == values)
  }

  @Test("RFC 4648 §3.3: a character outside the alphabet is refused, wherever it stands")
  func foreignCharacters() {
    let urlSafe = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    for byte in UInt8.min...UInt8.max where !urlSafe.contains(byte) {
      for index in 0..<4 {
        var text = ascii("AAAA")
        text[index] = byte
        #expect(Base64URL.decode(text) == nil)
      }
    }
  }

  @Test("RFC 7515 §2: base64url has no padding and no white space", arguments: [
    "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm 9v", "Zm9v====", "=", "Zm9+", "Zm9/", "Zm9vé",
  ])
  func lenientForms(text: String) {
    #expect(Base64URL.decode(text) == nil)
  }

  @Test("RFC 4648 §3.5: bits after the last byte are zero", arguments: [
    "Zh", "Zv", "Z_", "Zm9", "Zm-", "AB", "AAB", "_____x",
  ])
  func trailingBits(text: String) {
    #expect(Base64URL.decode(text) == nil)
  }

  @Test("RFC 4648 §4: a single character left over carries no byte", arguments: ["A", "AAAAA", "AAAAAAAAA"])
  func impossibleLengths(text: String) {
    #expect(Base64URL.decode(text) == nil)
  }

  @Test("RFC 4648 §3.2: base64 has exactly the padding it needs", arguments: [
    "Zg", "Zg=", "Zg===", "Zm8", "Zm8==", "====", "Z===", "Zm9v=", "Zm9v====", "Zg==Zg==", "=Zg=", "Zh==", "Zm9=", "Zm9-",
  ])
  func padding(text: String) {
    #expect(Base64.decode(text) == nil)
  }

  @Test("Any bytes survive the round trip", arguments: 0..<70)
  func roundTrip(count: Int) {
    let bytes = SystemRandom().bytes(count)
    #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
    #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    #expect(Base64URL.decode(ascii(Base64URL.encode(bytes))[...]) == bytes)
  }

  @Test("Decoding into a buffer writes no further than the buffer")
  func intoBuffer() {
    var target = [UInt8](repeating: 0xee, count: 8)
    let decode = { (text: String, count: Int) -> Int? in
      ascii(text).withUnsafeBytes { source in
        target.withUnsafeMutableBytes { target in
          Base64URL.decode(source, into: UnsafeMutableRawBufferPointer(rebasing: target[..<count]))
        }
      }
    }
    #expect(decode("Zm9vYg", 4) == 4)
    #expect(target == ascii("foob") + [0xee, 0xee, 0xee, 0xee])
    #expect(decode("Zm9vYmE", 4) == nil)
    #expect(decode("", 0) == 0)
    #expect(target[5...] == [0xee, 0xee, 0xee])
  }
}
