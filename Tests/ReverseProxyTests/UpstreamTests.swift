import ReverseProxy
import Testing

@Suite("Upstream addresses")
struct UpstreamTests {
  @Test("RFC 9110 §4.2: a server is scheme, host and port, and nothing that two parsers read differently", arguments: [
    ("api.example", OriginError.scheme), ("ftp://api.example", .scheme), ("//api.example", .scheme), ("", .scheme),
    ("https:/api.example", .scheme), ("https://user@api.example", .userInformation),
    ("https://api.example@evil.example", .userInformation),
    ("https://api.example/v1", .path), ("https://api.example?x", .path), ("https://api.example#x", .path),
    ("https://api.example\\x", .path),
    ("https://", .host), ("https:///", .host), ("https://a..b", .host), ("https://-a.example", .host),
    ("https://a b", .host),
    ("https://a%2eb", .host), ("https://2130706433", .host), ("https://0x7f.1", .host), ("https://127.1", .host),
    ("https://127.0.0.256", .host),
    ("https://[::1", .host), ("https://[127.0.0.1]", .host), ("https://[::ffff:127.0.0.1]", .host),
    ("https://[fe80::1%25eth0]", .host), ("https://caf\u{e9}.example", .host),
    ("https://api.example:", .port), ("https://api.example:0", .port), ("https://api.example:65536", .port),
    ("https://api.example:+80", .port),
    ("https://api.example:80a", .port), ("https://::1", .port),
    ("https://" + String(repeating: "a", count: 300), .tooLong),
  ])
  func refuses(text: String, error: OriginError) {
    #expect(throws: error) { try Origin(text) }
  }

  @Test("A well-formed origin keeps its parts, lower case", arguments: [
    ("https://api.example", "api.example", 443, "https://api.example"),
    ("HTTPS://API.Example:443/", "api.example", 443, "https://api.example"),
    ("http://127.0.0.1:8080", "127.0.0.1", 8080, "http://127.0.0.1:8080"),
    ("http://[::1]:8080", "::1", 8080, "http://[::1]:8080"),
    ("http://photo_api:80", "photo_api", 80, "http://photo_api"),
    ("https://xn--caf-dma.example", "xn--caf-dma.example", 443, "https://xn--caf-dma.example"),
  ])
  func accepts(text: String, host: String, port: UInt16, spelled: String) throws {
    let origin = try Origin(text)
    #expect(origin.host == host)
    #expect(origin.port == port)
    #expect(origin.description == spelled)
  }

  @Test("Loopback is what cannot leave the machine", arguments: [
    ("http://127.0.0.1", true), ("http://127.8.9.1", true), ("http://[::1]", true), ("http://localhost", true),
    ("http://localhost.evil.example", false), ("http://128.0.0.1", false), ("http://10.0.0.1", false),
    ("http://[::]", false), ("http://0.0.0.0", false),
  ])
  func knowsLoopback(text: String, isLoopback: Bool) throws {
    #expect(try Origin(text).isLoopback == isLoopback)
  }
}
