import NetworkAddress
import Testing

@Suite("Hosts and ports in URLs")
struct AuthorityTests {
  @Test("RFC 3986 §3.2: what two readers could read differently is refused", arguments: [
    ("", Authority.Failure.host), (":80", .host), ("a b", .host), ("user@a", .host), ("a..b", .host), ("a.", .host),
    (".a", .host), ("-a.example", .host), ("a-.example", .host), ("a%2eb", .host), ("caf\u{e9}.example", .host),
    ("2130706433", .host), ("127.1", .host), ("0x7f.1", .host), ("127.0.0.0x1", .host), ("0177.0.0.1", .host),
    ("1.2.3.256", .host), ("1.2.3.04", .host), ("1.2.3.4.5", .host), ("[::1", .host), ("[]", .host), ("[a]", .host),
    ("[::1]x", .host), ("[127.0.0.1]", .host), ("[fe80::1%25eth0]", .host),
    (String(repeating: "a", count: 64), .host), ("a:", .port), ("a:0", .port), ("a:65536", .port), ("a:+80", .port),
    ("a:80a", .port), ("a:1:2", .port), ("::1", .port), ("[::1]:", .port),
  ])
  func refuses(text: String, failure: Authority.Failure) {
    #expect(throws: failure) { try Authority(text) }
  }

  @Test("A host is kept in lower case, an IPv6 address without its brackets, and a port if there is one", arguments: [
    ("API.Example", "api.example", nil), ("photo_api:8080", "photo_api", 8080), ("127.0.0.1:65535", "127.0.0.1", 65535),
    ("[::1]", "::1", nil), ("[FD00::1]:1", "fd00::1", 1), ("db.9lab", "db.9lab", nil),
    ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1", nil),
  ] as [(String, String, UInt16?)])
  func accepts(text: String, host: String, port: UInt16?) throws {
    let authority = try Authority(text)
    #expect(authority.host == host)
    #expect(authority.port == port)
  }
}
