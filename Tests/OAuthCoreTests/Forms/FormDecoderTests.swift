import OAuthCore
import PosternTesting
import Testing

@Suite struct FormDecoderTests {
  private func decode(_ text: String) throws -> [String] {
    try FormDecoder.decode(Array(text.utf8)).pairs.map { "\($0.name)→\($0.value)" }
  }

  @Test(
    "A form that two readers could understand differently is refused",
    arguments: [
      ("a=%", FormDecoder.Refusal.badPercentEncoding), ("a=%4", .badPercentEncoding), ("a=%4g", .badPercentEncoding),
      ("%=a", .badPercentEncoding), ("a=%%41", .badPercentEncoding), ("a=%+1", .badPercentEncoding),
      ("a=%00", .nul), ("a\u{0}=1", .nul), ("a=%80", .notUTF8), ("a=%c0%af", .notUTF8), ("a=%ed%a0%80", .notUTF8),
      (String(repeating: "&", count: 64), .tooManyParameters),
      (Array(repeating: "a=1", count: 65).joined(separator: "&"), .tooManyParameters),
    ])
  func refused(_ text: String, _ refusal: FormDecoder.Refusal) {
    #expect(throws: refusal) { try FormDecoder.decode(Array(text.utf8)) }
  }

  @Test(
    "WHATWG URL §5.1: pairs come out in order, decoded once",
    arguments: [
      ("a=1&b=2", ["a→1", "b→2"]), ("a=1&a=2", ["a→1", "a→2"]), ("", []), ("&&a=1&", ["a→1"]), ("a", ["a→"]),
      ("=1", ["→1"]),
      ("a=b=c", ["a→b=c"]), ("a+b=c+d", ["a b→c d"]), ("a=%2B%26%3D%25", ["a→+&=%"]), ("a=%2541", ["a→%41"]),
      ("%61=%C3%A9", ["a→é"]),
    ])
  func decoded(_ text: String, _ pairs: [String]) throws {
    #expect(try decode(text) == pairs)
  }

  @Test("64 parameters are accepted")
  func limit() throws {
    #expect(try decode(Array(repeating: "a=1", count: 64).joined(separator: "&")).count == 64)
  }

  @Test("What is encoded decodes to itself", arguments: 0..<32)
  func roundTrip(_ seed: Int) throws {
    let random = SeededRandom(seed: UInt64(seed))
    let pairs = (0..<8).map { _ in
      (name: text(random), value: text(random))
    }
    let decoded = try FormDecoder.decode(Array(PercentEncoding.form(pairs).utf8)).pairs
    #expect(decoded.map(\.name) == pairs.map(\.name))
    #expect(decoded.map(\.value) == pairs.map(\.value))
  }

  @Test("Random bytes are decoded or refused, never worse", arguments: 0..<64)
  func fuzz(_ seed: Int) {
    let random = SeededRandom(seed: UInt64(seed))
    let alphabet = Array("a=&%+0f;\u{e9}".utf8) + [0, 0xff]
    for _ in 0..<200 {
      let bytes = random.bytes(Int(random.next() % 40)).map { alphabet[Int($0) % alphabet.count] }
      guard let form = try? FormDecoder.decode(bytes) else { continue }
      #expect(form.pairs.count <= FormDecoder.parameterCountMax)
      #expect(!form.pairs.contains { $0.name.utf8.contains(0) || $0.value.utf8.contains(0) })
    }
  }

  private func text(_ random: SeededRandom) -> String {
    String(
      String.UnicodeScalarView(
        (0..<(1 + random.next() % 12)).compactMap { _ in
          Unicode.Scalar(UInt32(1 + random.next() % 0x2ff))
        }))
  }
}
