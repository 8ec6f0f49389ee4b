import JSON
import Testing

@Suite("JSON parser")
struct JSONParserTests {
  private func parse(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }

  // MARK: What is refused

  @Test("RFC 8259 §2: what is not one JSON text is refused", arguments: [
    "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "{,}", #"{"a"}"#, #"{"a":}"#,
    #"{"a":1,}"#,
    #"{"a":1 "b":2}"#, "{a:1}", "{1:1}", "{'a':1}", "1 2", "[]x", "{}{}", "nul", "nulL", "True", "truex", "NaN",
    "Infinity", "-Infinity", "undefined", "'a'", "/* */1", "1//", "\u{FEFF}1", "\u{A0}1", "\u{000B}1", "\u{0}",
  ])
  func grammar(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test("RFC 8259 §6: a number has no plus, no leading zero, no bare point and no hexadecimal digits", arguments: [
    "+1", "01", "-01", "00", ".5", "1.", "-", "-.5", "1e", "1e+", "1E-", "1.e1", "0x10", "1_000", "1.5.5", "--1",
    "1e1.5", "1e999", "-1e999", "١",
  ])
  func numbers(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test("RFC 8259 §7: a string has no raw control character, no unknown escape and an end", arguments: [
    #"""#, #""a"#, #""\"#, #""\""#, #""\x41""#, #""\'""#, #""\a""#, #""\U0041""#, #""\u""#, #""\u004""#,
    #""\u00g1""#, #""\u+041""#, "\"\u{1}\"", "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"\u{1F}\"",
  ])
  func strings(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test("RFC 8259 §8.2: a lone surrogate is refused", arguments: [
    #""\ud800""#, #""\udc00""#, #""\udfff""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\ud800""#, #""\ud800\u0041""#,
    #""\udc00\ud800""#, #""\ud83d""#,
  ])
  func surrogates(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test("RFC 3629 §3: bytes that are not UTF-8 are refused, in names and in values", arguments: [
    [0x80], [0xc3], [0xff], [0xfe], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xe2, 0x82], [0xf0, 0x9f, 0x98],
  ] as [[UInt8]])
  func encoding(bytes: [UInt8]) {
    let quoted = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
    #expect(throws: JSONError.self) { try JSON(parsing: quoted) }
    #expect(throws: JSONError.self) { try JSON(parsing: Array("{".utf8) + quoted + Array(":1}".utf8)) }
    #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
  }

  @Test("RFC 8259 §4: a repeated member name is refused, however it is written", arguments: [
    #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"a":3}"#, #"{"a":1,"\u0061":2}"#, #"{"":1,"":2}"#, #"{"x":{"a":1,"a":2}}"#,
    #"[{"a":1,"a":2}]"#,
    // One letter, composed and decomposed: readers differ on whether that is one name.
    #"{"\u00e9":1,"e\u0301":2}"#,
  ])
  func repeatedNames(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test("RFC 8259 §9: nesting ends at 64, for arrays, objects and both")
  func depth() throws {
    for (open, close) in [("[", "]"), (#"{"a":"#, "}"), (#"[{"a":"#, "}]")] {
      let width = open == #"[{"a":"# ? 2 : 1
      let text = { (count: Int) in
        String(repeating: open, count: count) + "1" + String(repeating: close, count: count)
      }
      _ = try parse(text(63 / width))
      #expect(throws: JSONError.self) { try parse(text(64 / width)) }
      #expect(throws: JSONError.self) { try parse(text(100_000)) }
    }
    _ = try parse("[" + [String](repeating: "[]", count: 1000).joined(separator: ",") + "]")
  }

  @Test("An object with very many members is read in reasonable time")
  func manyMembers() throws {
    // Quadratic work would be ten thousand million comparisons.
    let members = (0..<100_000).map { #""\#($0)":\#($0)"# }.joined(separator: ",")
    #expect(try parse("{\(members)}").object?.members.count == 100_000)
    #expect(throws: JSONError.self) { try parse(#"{\#(members),"0":0}"#) }
  }

  @Test("An error says where")
  func offset() throws {
    let error = try #require(throws: JSONError.self) { try parse(#"{"a":tru}"#) }
    #expect(error.offset == 8)
    #expect(error.description.hasSuffix("at byte 8"))
  }

  // MARK: What is read

  @Test("RFC 8259 §3: every kind of value", arguments: [
    ("null", JSON.null), ("true", true), ("false", false), ("0", 0), ("-0", 0), ("-1", -1), (" \t\r\n[ ] ", []),
    ("{ }", [:]),
    (#""""#, ""), (#"[1,"a",null,{"b":[]}]"#, [1, "a", .null, ["b": []]]), (#"{"b":1,"a":2}"#, ["b": 1, "a": 2]),
  ] as [(String, JSON)])
  func values(text: String, value: JSON) throws {
    #expect(try parse(text) == value)
  }

  @Test("RFC 8259 §6: integers of 64 bits are exact, others are doubles", arguments: [
    ("9223372036854775807", JSON.integer(.max)), ("-9223372036854775808", .integer(.min)),
    ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1.0", .number(1)), ("1e2", .number(100)),
    ("-1.5E-1", .number(-0.15)), ("1E+2", .number(100)), ("0.0", .number(0)), ("0e0", .number(0)),
  ])
  func numberValues(text: String, value: JSON) throws {
    #expect(try parse(text) == value)
  }

  @Test("RFC 8259 §7: escapes mean their characters", arguments: [
    (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"), (#""\ud83d\udd11""#, "🔑"),
    (#""\uD83D\uDD11""#, "🔑"), (#""\ud800\udc00\udbff\udfff""#, "\u{10000}\u{10FFFF}"), (#""\u0000""#, "\0"),
    ("\"🔑é\u{7f}\"", "🔑é\u{7f}"), ("\"\u{2028}\u{FFFF}\"", "\u{2028}\u{FFFF}"),
  ])
  func escapes(text: String, value: String) throws {
    let string = try #require(try parse(text).string)
    #expect(Array(string.utf8) == Array(value.utf8))
  }
}
