import Testing

@testable import HTTPWire

/// A request that must be refused, and why.
struct RefusedRequest: Sendable, CustomTestStringConvertible {
  let text: String
  let error: WireError
  init(_ text: String, _ error: WireError) {
    self.text = text
    self.error = error
  }
  var testDescription: String { text.debugDescription }
}

private let host = "Host: a.example\r\n"
private func fields(_ lines: String) -> String { "POST / HTTP/1.1\r\n\(host)\(lines)\r\n" }

private let requestLines: [RefusedRequest] = [
  .init("GET  / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET /  HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET / HTTP/1.1 \r\n\(host)\r\n", .badRequestLine),
  .init(" GET / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET\t/ HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET /\tHTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET /\r\n\(host)\r\n\r\n\r\n\r\n", .badRequestLine),
  .init("GET / HTTP/1.1\n\(host)\r\n", .badRequestLine),
  .init("GET / HTTP/1.1\r\(host)\r\n", .badRequestLine),
  .init("GET / http/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET / HTTP/1.1x\r\n\(host)\r\n", .badRequestLine),
  .init("GET / HTTP/11\r\n\(host)\r\n", .badRequestLine),
  .init("GET / HTTP/+1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET / HTTP /1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET / ICAP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET / HTTP/1.2\r\n\(host)\r\n", .unsupportedVersion),
  .init("GET / HTTP/0.9\r\n\(host)\r\n", .unsupportedVersion),
  .init("GET / HTTP/2.0\r\n\(host)\r\n", .unsupportedVersion),
  .init("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
  .init("G(T / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("G\u{0}T / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("G\u{e9}T / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("\(String(repeating: "A", count: 33)) / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("\r\n\r\nGET / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("\nGET / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", .badRequestLine),
  .init("GET /\u{0} HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET /\u{7f} HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET /\u{e9} HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET /a\rb HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  .init("GET /a#b HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET /a?b#c HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET a HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET ?a HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET * HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("OPTIONS *a HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("OPTIONS *?a HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("CONNECT a.example:443 HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("CONNECT / HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET a.example:80 HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET ftp://a.example/ HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET http:/a.example/ HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET http:///a HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET http://u@a.example/ HTTP/1.1\r\n\(host)\r\n", .badTarget),
  .init("GET http://b.example/ HTTP/1.1\r\n\(host)\r\n", .badHost),
  .init("GET http://a.example:81/ HTTP/1.1\r\n\(host)\r\n", .badHost),
  .init("GET http://a.example/ HTTP/1.1\r\n\r\n", .badHost),
  .init("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n\(host)\r\n", .requestLineTooLong),
  .init("GET /\(String(repeating: "a", count: 9000))", .requestLineTooLong),
]

private let hosts: [RefusedRequest] = [
  .init("GET / HTTP/1.1\r\n\r\n", .badHost),
  .init("GET / HTTP/1.1\r\nHost:\r\n\r\n", .badHost),
  .init("GET / HTTP/1.1\r\n\(host)\(host)\r\n", .badHost),
  .init("GET / HTTP/1.1\r\n\(host)hOST: b.example\r\n\r\n", .badHost),
  .init("GET / HTTP/1.0\r\n\(host)\(host)\r\n", .badHost),
] + [
  "a.example, b.example", "a.example b.example", "u@a.example", "u:p@a.example", "a.example/", "a.example:",
  "a.example:x", "a.example:-1", "a.example:65536", "a.example:123456", "a.example:80:80", ":80", "[::1", "[]", "[:]",
  "[::1]x", "[::g]", "::1", "a.example\\b", "a.example?b", "a.example#b", "a%2eexample", "\"a.example\"", "http://a.example",
  "a\u{e9}.example", "a.example\tb", "a!b",
].map { RefusedRequest("GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n", .badHost) }

private let fieldLines: [RefusedRequest] = [
  .init(fields("A : b\r\n"), .badFieldName),
  .init(fields("A\t: b\r\n"), .badFieldName),
  .init(fields("Content-Length : 5\r\n"), .badFieldName),
  .init(fields("Transfer-Encoding : chunked\r\n"), .badFieldName),
  .init(fields(": b\r\n"), .badFieldName),
  .init(fields("A\r\n"), .badFieldName),
  .init(fields("A b: c\r\n"), .badFieldName),
  .init(fields("A(b): c\r\n"), .badFieldName),
  .init(fields("A\"b: c\r\n"), .badFieldName),
  .init(fields("A/b: c\r\n"), .badFieldName),
  .init(fields("A\u{0}: c\r\n"), .badFieldName),
  .init(fields("A\u{e9}: c\r\n"), .badFieldName),
  .init(fields("A: b\u{0}c\r\n"), .badFieldValue),
  .init(fields("A: b\u{1}c\r\n"), .badFieldValue),
  .init(fields("A: b\u{b}c\r\n"), .badFieldValue),
  .init(fields("A: b\u{1f}c\r\n"), .badFieldValue),
  .init(fields("A: b\u{7f}c\r\n"), .badFieldValue),
  .init(fields("A: 0123456789\u{0}0123456789\r\n"), .badFieldValue),
  .init(fields("A: b\rc\r\n"), .badFieldValue),
  .init(fields("A: b\r\rc\r\n"), .badFieldValue),
  .init(fields("A: b\nB: c\r\n"), .badFieldValue),
  .init(fields("A: b\n"), .badFieldValue),
  .init(fields("A: b\r\n c\r\n"), .obsoleteFolding),
  .init(fields("A: b\r\n\tc\r\n"), .obsoleteFolding),
  .init("GET / HTTP/1.1\r\n \(host)\r\n", .obsoleteFolding),
  .init("GET / HTTP/1.1\r\n\(host)\n", .badFieldName),
  .init("GET / HTTP/1.1\r\n\(host)\rx\n", .badFieldName),
  .init("GET / HTTP/1.1\r\n\(host)\r\r\n", .badFieldName),
  .init(fields(String(repeating: "A: b\r\n", count: 100)), .tooManyFields),
  .init(fields("A: \(String(repeating: "b", count: 33_000))\r\n"), .fieldsTooLarge),
  .init(fields(String(repeating: "A: \(String(repeating: "b", count: 1000))\r\n", count: 40)), .fieldsTooLarge),
  .init("GET / HTTP/1.1\r\n\(host)A: \(String(repeating: "b", count: 33_000))", .fieldsTooLarge),
  .init(fields((0..<33).map { "A: b\r\nX-Forwarded-\($0): c\r\n" }.joined()), .tooManyFields),
  .init(fields("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), .repeatedAuthorization),
  .init(fields("Authorization: Bearer a\r\nAUTHORIZATION: Basic b\r\n"), .repeatedAuthorization),
  .init(fields("Expect: 200-ok\r\n"), .unknownExpectation),
  .init(fields("Expect: 100-continue, x\r\n"), .unknownExpectation),
  .init(fields("Expect:\r\n"), .unknownExpectation),
]

private let framings: [RefusedRequest] = [
  "", "+5", "-5", "5 5", "5,5", "5, 5", "5;", "5.0", "0x5", "5a", "a", "05", "00", "1234567890123456789", "\u{b2}", "\"5\"", "5\t5",
].map { RefusedRequest(fields("Content-Length: \($0)\r\n"), .badContentLength) } + [
  .init(fields("Content-Length: 5\r\nContent-Length: 5\r\n"), .badContentLength),
  .init(fields("Content-Length: 5\r\nContent-Length: 6\r\n"), .badContentLength),
  .init(fields("Content-Length: 5\r\ncontent-length: 5\r\n"), .badContentLength),
  .init(fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), .ambiguousLength),
  .init(fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), .ambiguousLength),
  .init(fields("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), .ambiguousLength),
  .init("POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\n\r\n", .badTransferEncoding),
  .init(fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), .badTransferEncoding),
  .init(fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), .badTransferEncoding),
] + [
  "", "identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked,", ", chunked", "chunked;a=b", "xchunked",
  "chunkedx", "chunk", "\"chunked\"", "chunked chunked", "\u{a0}chunked", "chunked, identity", "cow", "c\u{17f}hunked".filter { $0.isASCII } + "\u{e9}",
].map { RefusedRequest(fields("Transfer-Encoding: \($0)\r\n"), .badTransferEncoding) }

private let nominations: [RefusedRequest] = [
  "host", "Host", "authorization", "content-length", "Content-Length, close", "transfer-encoding", "expect",
].map {
  RefusedRequest(
    "POST / HTTP/1.1\r\n\(host)Authorization: Bearer a\r\nExpect: 100-continue\r\nConnection: \($0)\r\n"
      + ($0 == "transfer-encoding" ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 5\r\n\r\n"), .badConnection)
} + [
  "close keep-alive", "close;x", "\"close\"", "a@b", "close\u{e9}", "(a)",
].map { RefusedRequest(fields("Connection: \($0)\r\n"), .badConnection) } + [
  .init(fields("Connection: \((0..<17).map { "x\($0)" }.joined(separator: ","))\r\n"), .badConnection)
]

@Suite struct RequestRefusalTests {
  @Test("RFC 9112 §3: a request line that is not exactly method, target and version is refused", arguments: requestLines)
  func refusesRequestLine(_ refused: RefusedRequest) { check(refused) }

  @Test("RFC 9112 §3.2: a request without exactly one well-formed Host is refused", arguments: hosts)
  func refusesHost(_ refused: RefusedRequest) { check(refused) }

  @Test("RFC 9112 §5: a field line that parsers could read differently is refused", arguments: fieldLines)
  func refusesFieldLine(_ refused: RefusedRequest) { check(refused) }

  @Test("RFC 9112 §6.3: a request whose length parsers could read differently is refused", arguments: framings)
  func refusesFraming(_ refused: RefusedRequest) { check(refused) }

  @Test("RFC 9110 §7.6.1: Connection cannot remove what the request depends on", arguments: nominations)
  func refusesNomination(_ refused: RefusedRequest) { check(refused) }

  private func check(_ refused: RefusedRequest) {
    let whole = readRequest(refused.text)
    #expect(whole == .refused(refused.error))
    for step in [1, 2, 7] where refused.text.utf8.count < 4000 {
      // What is received later may decide between two reasons; that it is refused must not depend on it.
      guard case .refused = readRequest(refused.text + "\n", step: step) else {
        Issue.record("accepted or undecided in steps of \(step)")
        continue
      }
    }
  }
}
