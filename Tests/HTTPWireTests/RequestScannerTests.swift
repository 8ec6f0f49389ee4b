import PosternTesting
import Testing

@testable import HTTPWire

@Suite struct RequestScannerTests {
  private func read(_ text: String) throws -> ReadRequest {
    let reading = readRequest(text)
    for step in [1, 2, 3, 5, 16] {
      #expect(readRequest(text, step: step).head == reading.head, "in steps of \(step)")
    }
    guard case .read(let request) = reading else {
      Issue.record("\(reading)")
      throw CancellationError()
    }
    return request
  }

  @Test("RFC 9112 §3: a request is read into its parts, at once or byte by byte")
  func parts() throws {
    let request = try read(
      "GET /photos/1?size=2&x=a?b HTTP/1.1\r\nHost: gw.example.com:8443\r\nAccept:*/*\r\n"
        + "Authorization:  Bearer abc \r\nX-Empty:\r\nX-Tab: a\tb \t\r\n\r\nNEXT")
    #expect(
      request
        == ReadRequest(
          method: "GET", path: "/photos/1", query: "size=2&x=a?b", authority: "gw.example.com:8443",
          authorization: "Bearer abc", forwarded: ["Accept:*/*", "X-Empty:", "X-Tab: a\tb \t"], rest: "NEXT"))
  }

  @Test("RFC 9110 §7.6.1, RFC 9112 §9: connection fields and what Postern sets itself are never forwarded")
  func cuts() throws {
    let dropped = [
      "Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic x",
      "proxy-anything: x", "TE: trailers", "Upgrade: websocket", "HTTP2-Settings: x", "Forwarded: for=1.2.3.4",
      "X-Forwarded-For: 1.2.3.4", "x-forwarded-proto: https", "X-Forwarded-Host: x", "X-Forwarded-Anything: x",
      "X-Real-IP: 1.2.3.4", "X-Request-Id: 1", "X_Forwarded_For: 1.2.3.4", "X-Forwarded_For: 1", "x_real_ip: 1",
      "X_REQUEST_ID: 1", "Proxy_Authorization: x", "Keep_Alive: 1", "Content_Length: 7", "Transfer_Encoding: chunked",
      "HTTP2_Settings: x", "Proxy: x", "Client-Cert: x", "Client_Cert_Chain: x", "Authorization: Bearer a", "Host: a.example",
    ]
    let kept = [
      "X-Forward: 1", "Prox: 1", "Cookie: a=b", "Trailer: x", "Trailers: x", "X-Forwarded: 1", "Via: 1.1 x", "Content-Type: a/b",
      "Range: bytes=0-1", "Tea: 1", "Hosts: 1", "Upgrades: 1", "Expects: 1",
    ]
    var lines: [String] = []
    for (index, line) in dropped.enumerated() { lines += [line] + (index < kept.count ? [kept[index]] : []) }
    let request = try read("GET / HTTP/1.1\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n")
    #expect(request.forwarded == kept)
    #expect(request.framing == .none)
  }

  @Test("RFC 9110 §7.6.1: fields that Connection nominates are removed, wherever they stand")
  func nominated() throws {
    let request = try read(
      "GET / HTTP/1.1\r\nX-One: 1\r\nHost: a.example\r\nConnection: x-one, , X-TWO\r\nX-Two: 2\r\nX-Three: 3\r\n"
        + "connection:close\r\nX-One: 4\r\nTE: trailers\r\n\r\n")
    #expect(request.forwarded == ["X-Three: 3"])
    #expect(!request.isPersistent)
  }

  @Test("RFC 9112 §9.3: persistence follows version and Connection")
  func persistence() throws {
    #expect(try read("GET / HTTP/1.1\r\nHost: a\r\n\r\n").isPersistent)
    #expect(try !read("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").isPersistent)
    #expect(try !read("GET / HTTP/1.0\r\nHost: a\r\n\r\n").isPersistent)
    #expect(try read("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n").isPersistent)
    #expect(try !read("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").isPersistent)
  }

  @Test("RFC 9112 §6.3: length and chunked are the two framings of a request")
  func framing() throws {
    #expect(try read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").framing == .length(5))
    #expect(try read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").framing == .none)
    #expect(try read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t999999999999999999 \r\n\r\n").framing == .length(999_999_999_999_999_999))
    #expect(try read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n").framing == .chunked)
  }

  @Test("RFC 9112 §3.2.2: an absolute-form target is read as path and authority")
  func absoluteForm() throws {
    let request = try read("GET HTTP://A.example:80/x?y HTTP/1.1\r\nHost: a.EXAMPLE:80\r\n\r\n")
    #expect(request.path == "/x" && request.query == "y" && request.authority == "a.EXAMPLE:80")
    #expect(try read("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n").path == "")
    #expect(try read("GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n").query == "q")
    #expect(try read("GET http://a.example/ HTTP/1.0\r\n\r\n").authority == "a.example")
  }

  @Test("RFC 9112 §3.2.4: the asterisk is the target of OPTIONS")
  func asterisk() throws {
    #expect(try read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path == "*")
  }

  @Test("RFC 9112 §2.2: one empty line before a request is ignored")
  func leadingEmptyLine() throws {
    #expect(try read("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nX").rest == "X")
  }

  @Test("RFC 9112 §3.2: hosts are names, IPv4 and bracketed IPv6 literals", arguments: [
    "a", "a.example", "a.example.", "a_b.example", "127.0.0.1:80", "[::1]", "[::ffff:1.2.3.4]:65535", "xn--bcher-kva.example",
  ])
  func host(_ host: String) throws {
    #expect(try read("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").authority == host)
  }

  @Test("RFC 9110 §10.1.1: 100-continue is an expectation of HTTP/1.1 only")
  func expectation() throws {
    #expect(try read("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n").expectsContinue)
    #expect(try !read("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expectsContinue)
  }

  @Test("RFC 9110 §5.5: obs-text and any other visible byte pass in values")
  func values() throws {
    let value = String(String.UnicodeScalarView((0x20...0xff).filter { $0 != 0x7f }.map { Unicode.Scalar(UInt8($0)) }))
    let request = try read("GET / HTTP/1.1\r\nHost: a\r\nX: y\(value)\r\n\r\n")
    #expect(request.forwarded == ["X: y\(value)"])
  }

  @Test("RFC 9110 §5.6.2: every token byte may stand in a field name and in a method")
  func tokens() throws {
    let token = "!#$%&'*+-.^_`|~09azAZ"
    let request = try read("\(token) / HTTP/1.1\r\nHost: a\r\n\(token): b\r\n\r\n")
    #expect(request.method == token && request.forwarded == ["\(token): b"])
  }

  @Test("a head that is cut short anywhere is incomplete, never refused")
  func prefixes() {
    let text = "\r\nPOST /a?b HTTP/1.1\r\nHost: a.example\r\nConnection: x\r\nX: \t y\r\nContent-Length: 10\r\n\r\n"
    for count in 0..<text.utf8.count {
      let prefix = String(decoding: text.utf8.prefix(count), as: UTF8.self)
      #expect(readRequest(prefix) == .incomplete, "\(prefix.debugDescription)")
    }
  }

  @Test("whatever the bytes are, reading in pieces decides as reading at once does")
  func randomMutations() {
    let seed = "POST http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\nConnection: x-a, close\r\nX-A: b\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    let alphabet: [UInt8] = Array("\r\n\t :,;aZ_-/?#0\u{0}".utf8) + [0x7f, 0x80, 0xff]
    var generator = SplitMix(seed: 42)
    for _ in 0..<4000 {
      var mutated = bytes(of: seed)
      for _ in 0...Int.random(in: 0..<3, using: &generator) {
        let position = Int.random(in: 0..<mutated.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: mutated[position] = alphabet.randomElement(using: &generator)!
        case 1: mutated.insert(alphabet.randomElement(using: &generator)!, at: position)
        default: mutated.remove(at: position)
        }
      }
      let text = String(String.UnicodeScalarView(mutated.map { Unicode.Scalar($0) })) + "\r\n\r\n\n"
      let whole = readRequest(text)
      let pieces = readRequest(text, step: 1)
      if case .refused = whole, case .refused = pieces { continue }
      #expect(whole.head == pieces.head, "\(text.debugDescription)")
    }
  }
}

extension Reading<ReadRequest> {
  /// Without what follows the head, which depends on how much was given.
  var head: Reading<ReadRequest> {
    guard case .read(var request) = self else { return self }
    request.rest = ""
    return .read(request)
  }
}
