import ReverseProxy
import Testing

@Suite("Path pattern")
struct PathPatternTests {
  @Test("A pattern that could never be meant is refused", arguments: [
    ("photos", PathPatternError.path(.notOriginForm)), ("/a//b", .path(.emptySegment)), ("/a/../b", .path(.dotSegment)),
    ("/a%2fb", .path(.encodedSlash)), ("/a?b", .query), ("/a*", .wildcardInSegment), ("/**/b", .wildcardInSegment),
    ("/a/***", .wildcardInSegment), ("/a;b", .parameters), ("/a b", .path(.illegalByte)), ("", .path(.notOriginForm)),
  ])
  func refuses(text: String, error: PathPatternError) {
    #expect(throws: error) { try PathPattern(text) }
  }

  @Test("Two spellings of one path are one pattern (RFC 3986 §6.2.2.2)")
  func comparesDecoded() throws {
    #expect(try PathPattern("/%61dmin/**") == PathPattern("/admin/**"))
    #expect(try PathPattern("/admin") != PathPattern("/admin/"))
    #expect(try PathPattern("/admin") != PathPattern("/Admin"))
  }

  @Test("The leftmost difference decides which pattern is more specific", arguments: [
    ("/a/b", "/a/*"), ("/a/*", "/a/**"), ("/a/b/**", "/a/**"), ("/a/b", "/a/b/**"), ("/a/b/*", "/a/*/c"),
    ("/a/b/**", "/a/*/c"),
    ("/a", "/**"), ("/", "/**"), ("/*", "/**"), ("/a/b/c", "/a/b"),
  ])
  func orders(first: String, second: String) throws {
    let (first, second) = (try PathPattern(first), try PathPattern(second))
    #expect(first.isMoreSpecific(than: second))
    #expect(!second.isMoreSpecific(than: first))
  }
}

@Suite("Path rewrite")
struct PathRewriteTests {
  @Test("The prefix is cut by segment, whatever its spelling, and the rest passes byte for byte", arguments: [
    ("/photos/**", "/photos", "/api/v1/photos", "/photos/1", "/api/v1/photos/1"),
    ("/photos/**", "/photos", "/api/v1/photos", "/photos", "/api/v1/photos"),
    ("/photos/**", "/photos", "/api/v1/photos", "/photos/", "/api/v1/photos/"),
    ("/photos/**", "/photos", "", "/photos", "/"),
    ("/photos/**", "/photos", "", "/photos/a%20b", "/a%20b"),
    ("/photos/**", "/photos/", "/", "/photos/1", "/1"),
    ("/photos/**", "/photos", "", "/%70hotos/%61", "/%61"),
    ("/photos/**", "/photos", "", "/photos;v=1/2", "/2"),
    ("/a/b/**", "/a", "/x/", "/a/b/c", "/x/b/c"),
    ("/**", "", "/x", "/a", "/x/a"),
    ("/**", "", "", "/a;b/c", "/a;b/c"),
  ])
  func rewrites(pattern: String, strip: String, add: String, path: String, expected: String) throws {
    let rewrite = try PathRewrite(stripPrefix: strip, addPrefix: add, for: PathPattern(pattern))
    let rewritten = rewrite.rewritten(Array(path.utf8).span)
    #expect(String(decoding: rewritten, as: UTF8.self) == expected)
  }

  @Test("A prefix that not every path has cannot be cut", arguments: ["/photos/a", "/b", "/photo"])
  func refusesForeignPrefix(prefix: String) throws {
    #expect(throws: PathRewriteError.notAPrefix(of: "/photos/**")) {
      try PathRewrite(stripPrefix: prefix, for: PathPattern("/photos/**"))
    }
  }

  @Test("A prefix has no wildcards, dot segments or relative paths", arguments: ["/*", "/a/**", "/a/../b", "a", "/a?b"])
  func refusesMalformed(prefix: String) throws {
    #expect(throws: PathRewriteError.self) { try PathRewrite(addPrefix: prefix, for: PathPattern("/**")) }
  }
}
