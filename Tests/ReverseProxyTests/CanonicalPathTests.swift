import PosternTesting
import ReverseProxy
import Testing

@Suite("Canonical path")
struct CanonicalPathTests {
  static let refusals: [(target: String, reason: PathRefusal)] = [
    // Not origin-form: RFC 9112 §3.2.1
    ("", .notOriginForm), ("*", .notOriginForm), ("photos", .notOriginForm), ("http://a/b", .notOriginForm),
    ("?x", .notOriginForm), ("%2fphotos", .notOriginForm), ("\\photos", .notOriginForm), (" /photos", .notOriginForm),
    // Dot segments: RFC 3986 §3.3, §6.2.2.3
    ("/.", .dotSegment), ("/..", .dotSegment), ("/./", .dotSegment), ("/../", .dotSegment), ("/a/.", .dotSegment),
    ("/a/..", .dotSegment), ("/a/./b", .dotSegment), ("/a/../b", .dotSegment), ("/photos/../admin", .dotSegment),
    ("/photos/../../etc/passwd", .dotSegment), ("/..?x=1", .dotSegment), ("/.?", .dotSegment),
    // … in every spelling: RFC 3986 §6.2.2.2
    ("/%2e", .dotSegment), ("/%2E", .dotSegment), ("/%2e%2e", .dotSegment), ("/%2E%2E", .dotSegment),
    ("/%2e%2E/admin", .dotSegment), ("/.%2e", .dotSegment), ("/.%2e/", .dotSegment), ("/%2e./x", .dotSegment),
    ("/a/%2e%2e/b", .dotSegment), ("/a/.%2E/b", .dotSegment), ("/a/%2E./b", .dotSegment), ("/a/%2e/b", .dotSegment),
    ("/a/b/%2e%2e", .dotSegment), ("/a/b/%2E?q", .dotSegment),
    // … before a path parameter, where servlet containers cut
    ("/..;/admin", .dotSegment), ("/..;x=1/admin", .dotSegment), ("/.;/admin", .dotSegment), ("/a/..;", .dotSegment),
    ("/%2e%2e;/admin", .dotSegment), ("/%2e.;a=b/x", .dotSegment), ("/..%3b/admin", .dotSegment),
    ("/..%3B/admin", .dotSegment), ("/.%3b", .dotSegment),
    // … between encoded slashes and backslashes, which some upstreams decode first
    ("/a/..%2f", .dotSegment), ("/a/..%2Fb", .dotSegment), ("/a/%2e%2e%2fb", .dotSegment), ("/a%2f..", .dotSegment),
    ("/a%2f..%2fb", .dotSegment), ("/a%2f.%2fb", .dotSegment), ("/a/..%5cb", .dotSegment), ("/a%5c..%5cb", .dotSegment),
    ("/a%5C%2e%2e/b", .dotSegment), ("/a%2f..;x/b", .dotSegment), ("/a;x%2f../b", .dotSegment),
    // … and where decoding again and again would show them
    ("/%252e", .dotSegment), ("/%252e%252E/x", .dotSegment), ("/a/.%252e/b", .dotSegment), ("/%25%32%65", .dotSegment),
    ("/a/..%252fb", .dotSegment), ("/a%255c../b", .dotSegment), ("/..%253b/a", .dotSegment), ("/%25252525252e", .dotSegment),
    ("/a%252f%252e%252e", .dotSegment),
    // Empty segments
    ("//", .emptySegment), ("//photos", .emptySegment), ("/photos//", .emptySegment), ("/photos//1", .emptySegment),
    ("///", .emptySegment), ("//evil.example/x", .emptySegment), ("/;/admin", .emptySegment),
    ("/;x=1/admin", .emptySegment),
    ("/a/;", .emptySegment), ("/%3b/admin", .emptySegment), ("/%3Bx/admin", .emptySegment),
    // Backslashes
    ("/\\", .backslash), ("/a\\b", .backslash), ("/..\\admin", .backslash), ("/a/..\\..\\b", .backslash),
    ("/\\/evil.example", .backslash), ("/%2e%2e\\", .backslash),
    // Encoded control bytes
    ("/%00", .encodedControl), ("/a%00.jpg", .encodedControl), ("/..%00/", .encodedControl), ("/%01", .encodedControl),
    ("/a%0a", .encodedControl), ("/a%0D%0Ab", .encodedControl), ("/%09", .encodedControl), ("/%1f", .encodedControl),
    ("/%7f", .encodedControl), ("/%7F", .encodedControl), ("/%2500", .encodedControl), ("/a%25250a", .encodedControl), ("/..;%00", .dotSegment),
    // Overlong UTF-8: RFC 3629 §3
    ("/%c0%ae", .overlongEncoding), ("/%c0%ae%c0%ae/", .overlongEncoding), ("/%C0%AF", .overlongEncoding),
    ("/%c1%9c", .overlongEncoding), ("/%e0%80%ae", .overlongEncoding), ("/%E0%80%AF", .overlongEncoding),
    ("/%f0%80%80%ae", .overlongEncoding), ("/a%c0%afb", .overlongEncoding), ("/a;%c0%ae", .overlongEncoding),
    // Escapes: RFC 3986 §2.1
    ("/%", .badEscape), ("/%2", .badEscape), ("/%zz", .badEscape), ("/%2g", .badEscape), ("/%g2", .badEscape),
    ("/a%", .badEscape), ("/%%32%65", .badEscape), ("/%u002e", .badEscape), ("/%-1", .badEscape), ("/% 2e", .badEscape),
    ("/%2?e", .badEscape), ("/%?2e", .badEscape), ("/a%2/", .badEscape),
    // Fragments: RFC 9112 §3.2
    ("/#", .fragment), ("/a#b", .fragment), ("/a?b#c", .fragment), ("/a#/../b", .fragment),
    // Bytes that must be percent-encoded
    ("/a b", .illegalByte), ("/a\tb", .illegalByte), ("/a\r\nb", .illegalByte), ("/a\u{0}", .illegalByte),
    ("/a\u{7f}", .illegalByte), ("/<x>", .illegalByte), ("/\"x\"", .illegalByte), ("/{x}", .illegalByte),
    ("/`x`", .illegalByte), ("/caf\u{e9}", .illegalByte), ("/\u{ff0e}\u{ff0e}/", .illegalByte),
    ("/a?b c", .illegalByte), ("/a?b\u{0}", .illegalByte), ("/a?b\r\nHost: x", .illegalByte),
    ("/a?\u{7f}", .illegalByte),
  ]

  @Test("RFC 3986 §6.2.2: a path that can be read in two ways is refused", arguments: refusals)
  func refuses(target: String, reason: PathRefusal) {
    #expect(throws: reason) { try CanonicalPath(target: Array(target.utf8).span) }
  }

  static let acceptable: [(target: String, byteCount: Int)] = [
    ("/", 1), ("/photos", 7), ("/photos/", 8), ("/photos/1", 9), ("/photos?x", 7), ("/?", 1), ("/photos/?a=/../b", 8),
    // Names that only look like dot segments
    ("/...", 4), ("/..a", 4), ("/a..", 4), ("/.well-known/x", 14), ("/a.b/..c", 8), ("/%2e%2e%2e", 10), ("/.%2ea", 6),
    ("/..%20", 6), ("/a;..", 5), ("/a;/b", 5),
    // Double encoding is a literal percent sign
    ("/%252f", 6), ("/%25", 4), ("/a%252Fb%253Bc", 14), ("/%2541", 6), ("/%25252e%252e%252e", 18), ("/%25zz", 6),
    // Legal bytes
    ("/a;v=1/b", 8), ("/a,b", 4), ("/a:b@c", 6), ("/~x_-.", 6), ("/!$&'()*+,;=", 12), ("/[a]|^", 6),
    ("/%61dmin", 8), ("/caf%C3%A9", 10), ("/%e9", 4), ("/%ef%bc%8e%ef%bc%8e/", 20), ("/%c3%80", 7), ("/%e0%a0%80", 10),
    // The query is opaque
    ("/a?%zz", 2), ("/a?\\..\\", 2), ("/a?//..//", 2), ("/a?b?c=%00", 2), ("/a?caf\u{e9}", 2),
  ]

  @Test("RFC 9110 §4.2.3: what has one meaning passes as it is, the query byte for byte", arguments: acceptable)
  func accepts(target: String, byteCount: Int) throws {
    let path = try CanonicalPath(target: Array(target.utf8).span)
    #expect(path.byteCount == byteCount)
    #expect(!path.hasEncodedSlash)
  }

  @Test("An encoded slash or backslash is told, so that each route can choose", arguments: [
    "/a%2fb", "/a%2Fb", "/a%5cb", "/a%5C", "/%2f", "/a/%2f%2fb", "/a;x%2fy", "/https%3A%2F%2Fx.example",
  ])
  func reportsEncodedSlash(target: String) throws {
    let path = try CanonicalPath(target: Array(target.utf8).span)
    #expect(path.hasEncodedSlash)
    let rejecting = try Route(name: "r", pattern: PathPattern("/**"), access: .anonymous, upstream: "u")
    #expect(throws: PathRefusal.encodedSlash) { try rejecting.requireAcceptable(path) }
    var forwarding = rejecting
    forwarding.encodedSlash = .forward
    #expect(throws: Never.self) { try forwarding.requireAcceptable(path) }
  }

  @Test("An encoded slash in the query is none of the path")
  func ignoresQuery() throws {
    let path = try CanonicalPath(target: Array("/a?b%2fc".utf8).span)
    #expect(!path.hasEncodedSlash)
  }

  @Test("No accepted path has a dot segment after decoding, splitting and cutting parameters in any order")
  func holdsForRandomPaths() {
    var generator = SplitMix(seed: 20_240_607)
    let pieces = [
      "/", "/", ".", ".", "..", "%2e", "%2E", "%2f", "%5C", ";", "%3b", "a", "%61", "%25", "2e", "\\", "?", "%00",
      "%c0", "%ae",
    ]
    var acceptedCount = 0
    for _ in 0..<20_000 {
      let pieceCount = Int.random(in: 1...8, using: &generator)
      let target = "/" + (0..<pieceCount).map { _ in pieces.randomElement(using: &generator)! }.joined()
      guard let path = try? CanonicalPath(target: Array(target.utf8).span) else { continue }
      acceptedCount += 1
      let decoded = Self.decode(Array(target.utf8.prefix(path.byteCount)))
      for part in decoded.split(whereSeparator: { $0 == 0x2f || $0 == 0x5c }) {
        let name = part.prefix { $0 != UInt8(ascii: ";") }
        #expect(name.elementsEqual(".".utf8) == false && name.elementsEqual("..".utf8) == false, "\(target)")
      }
    }
    #expect(acceptedCount > 1000)
  }

  private static func decode(_ bytes: [UInt8]) -> [UInt8] {
    var octets: [UInt8] = []
    var index = 0
    while index < bytes.count {
      let digits = String(decoding: bytes[index...].dropFirst().prefix(2), as: UTF8.self)
      if bytes[index] == UInt8(ascii: "%"), let octet = UInt8(digits, radix: 16) {
        octets.append(octet)
        index += 3
      } else {
        octets.append(bytes[index])
        index += 1
      }
    }
    return octets
  }
}
