import JSON
import PosternTesting
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
  private func text(_ value: JSON) -> String { String(decoding: value.bytes, as: UTF8.self) }

  @Test("A value is written compactly, members in their order", arguments: [
    (JSON.null, "null"), (true, "true"), (-7, "-7"), ([], "[]"), ([:], "{}"),
    (["b": 1, "a": [.null, "x"]], #"{"b":1,"a":[null,"x"]}"#),
    (.integer(.min), "-9223372036854775808"), (.number(0.5), "0.5"),
  ] as [(JSON, String)])
  func compact(value: JSON, text: String) {
    #expect(self.text(value) == text)
  }

  @Test("RFC 8259 §7: what must be escaped is, and nothing else")
  func escapes() throws {
    #expect(text(.string("\"\\/\n\r\t\u{8}\u{0}\u{1f}\u{7f}é🔑")) == #""\"\\/\n\r\t\u0008\u0000\u001f\#u{7f}é🔑""#)
    let all = (0..<0x300).compactMap(Unicode.Scalar.init).map(Character.init)
    let value = JSON.string(String(all))
    #expect(value.bytes.allSatisfy { $0 >= 0x20 })
    #expect(try JSON(parsing: value.bytes) == value)
    let named = JSON.object(JSONObject(dictionaryLiteral: (String(all), 1)))
    #expect(try JSON(parsing: named.bytes) == named)
  }

  @Test("RFC 8259 §6: numbers survive the round trip to the last bit", arguments: [
    0.1, 1e21, -1e-7, Double.leastNonzeroMagnitude, Double.greatestFiniteMagnitude, 1e16, 123456789.125, 1.0 / 3,
  ])
  func numbers(number: Double) throws {
    #expect(try JSON(parsing: JSON.number(number).bytes) == .number(number))
  }

  @Test("Any value survives the round trip")
  func roundTrip() throws {
    var generator = SplitMix(seed: 1)
    for _ in 0..<500 {
      let value = JSON.random(depth: 0, &generator)
      let read = try JSON(parsing: value.bytes)
      #expect(read == value)
      #expect(read.bytes == value.bytes)
    }
  }
}

@Suite("JSON under fire")
struct JSONMutationTests {
  @Test("Damaged texts are refused or read; what is read survives the round trip", arguments: UInt64(1)...20)
  func mutations(seed: UInt64) throws {
    var generator = SplitMix(seed: seed)
    let interesting = Array(#"{}[]",:\\u0dD89abeEtfn+-. /"#.utf8) + [0x00, 0x1f, 0x7f, 0x80, 0xc3, 0xed, 0xf4, 0xff]
    for _ in 0..<300 {
      var bytes = JSON.random(depth: 0, &generator).bytes
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0...bytes.count, using: &generator)
        let byte = interesting.randomElement(using: &generator)!
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes.insert(byte, at: index)
        case 1 where index < bytes.count: bytes[index] = byte
        default: bytes.removeSubrange(index..<min(bytes.count, index + 2))
        }
      }
      guard let read = try? JSON(parsing: bytes) else { continue }
      #expect(try JSON(parsing: read.bytes) == read)
    }
  }
}

extension JSON {
  fileprivate static func random(depth: Int, _ generator: inout SplitMix) -> JSON {
    switch Int.random(in: 0..<(depth < 4 ? 8 : 6), using: &generator) {
    case 0: return .null
    case 1: return .bool(.random(using: &generator))
    case 2: return .integer(.random(in: .min ... .max, using: &generator))
    case 3: return .number(.random(in: -1e9...1e9, using: &generator))
    case 4, 5: return .string(randomText(&generator))
    case 6: return .array((0..<Int.random(in: 0..<5, using: &generator)).map { _ in random(depth: depth + 1, &generator) })
    default:
      var object = JSONObject()
      for _ in 0..<Int.random(in: 0..<5, using: &generator) {
        object[randomText(&generator)] = random(depth: depth + 1, &generator)
      }
      return .object(object)
    }
  }

  private static func randomText(_ generator: inout SplitMix) -> String {
    let scalars = (0..<Int.random(in: 0..<12, using: &generator)).compactMap { _ in
      Unicode.Scalar(UInt32.random(in: 0..<(Bool.random(using: &generator) ? 0x80 : 0x110000), using: &generator))
    }
    return String(String.UnicodeScalarView(scalars))
  }
}
