import Testing

@testable import HTTPWire

struct RefusedResponse: Sendable, CustomTestStringConvertible {
  let text: String
  let error: WireError
  init(_ text: String, _ error: WireError) {
    self.text = text
    self.error = error
  }
  var testDescription: String { text.debugDescription }
}

private func fields(_ lines: String) -> String { "HTTP/1.1 200 OK\r\n\(lines)\r\n" }

private let statusLines: [RefusedResponse] = [
  "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1 000 OK", "HTTP/1.1  200 OK", "HTTP/1.1 2x0 OK",
  "HTTP/1.1 -20 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 200OK", "http/1.1 200 OK", "HTTP/2.0 200 OK",
  "HTTP/1.2 200 OK", "HTTP/0.9 200 OK", "HTTP/11 200 OK!", "ICY 200 OK and more", " HTTP/1.1 200 OK", "HTTP/1.1 200 O\u{0}K",
  "HTTP/1.1 200 O\rK", "HTTP/1.1 200 O\u{7f}K", "<html>an error page</html>", "\r\nHTTP/1.1 200 OK",
].map { RefusedResponse($0 + "\r\nContent-Length: 0\r\n\r\n", .badStatusLine) } + [
  .init("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", .badStatusLine),
  .init("HTTP/1.1 200 \(String(repeating: "a", count: 9000))", .badStatusLine),
]

private let framings: [RefusedResponse] = [
  "", "+5", "-5", "5,5", "5, 5", "0x5", "5a", "05", "1234567890123456789", "5 ;",
].map { RefusedResponse(fields("Content-Length: \($0)\r\n"), .badContentLength) } + [
  "", "identity", "gzip", "gzip, chunked", "chunked, chunked", "chunked,", "xchunked", "chunked;q=1",
].map { RefusedResponse(fields("Transfer-Encoding: \($0)\r\n"), .badTransferEncoding) } + [
  .init(fields("Content-Length: 5\r\nContent-Length: 5\r\n"), .badContentLength),
  .init(fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), .ambiguousLength),
  .init(fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), .badTransferEncoding),
  .init("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .badTransferEncoding),
  .init("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", .badContentLength),
  .init("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", .badTransferEncoding),
  .init("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", .badContentLength),
  .init("HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n", .badTransferEncoding),
]

private let lines: [RefusedResponse] = [
  .init(fields("A : b\r\n"), .badFieldName),
  .init(fields("A: b\r\n c\r\n"), .obsoleteFolding),
  .init(fields(" A: b\r\n"), .obsoleteFolding),
  .init(fields("A: b\u{0}\r\n"), .badFieldValue),
  .init(fields("A: b\rc\r\n"), .badFieldValue),
  .init(fields("A: b\nB: c\r\n"), .badFieldValue),
  .init(fields("A b\r\n"), .badFieldName),
  .init(fields("Connection: content-length\r\nContent-Length: 5\r\n"), .badConnection),
  .init(fields("Connection: a b\r\n"), .badConnection),
  .init(fields(String(repeating: "A: b\r\n", count: 101)), .tooManyFields),
  .init(fields("A: \(String(repeating: "b", count: 33_000))\r\n"), .fieldsTooLarge),
]

@Suite struct ResponseScannerTests {
  @Test("RFC 9112 §4: a status line that is not exactly version, code and reason is refused", arguments: statusLines)
  func refusesStatusLine(_ refused: RefusedResponse) { check(refused) }

  @Test("RFC 9112 §6.3: a response whose length parsers could read differently is refused", arguments: framings)
  func refusesFraming(_ refused: RefusedResponse) { check(refused) }

  @Test("RFC 9112 §5: a response field line that parsers could read differently is refused", arguments: lines)
  func refusesFieldLine(_ refused: RefusedResponse) { check(refused) }

  private func check(_ refused: RefusedResponse) {
    #expect(readResponse(refused.text) == .refused(refused.error))
    for step in [1, 3] where refused.text.utf8.count < 4000 {
      guard case .refused = readResponse(refused.text + "\n", step: step) else {
        Issue.record("accepted or undecided in steps of \(step)")
        continue
      }
    }
  }

  private func read(_ text: String, to method: MethodKind = .get) throws -> ReadResponse {
    let reading = readResponse(text, to: method)
    guard case .read(let response) = reading else {
      Issue.record("\(reading)")
      throw CancellationError()
    }
    if case .read(var inSteps) = readResponse(text, to: method, step: 1) {
      inSteps.rest = response.rest
      #expect(inSteps == response)
    } else {
      Issue.record("not read byte by byte")
    }
    return response
  }

  @Test("RFC 9112 §6.3: the framing of a response follows request, status and fields")
  func framingOfResponses() throws {
    #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").framing == .length(5))
    #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").framing == .none)
    #expect(try read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").framing == .chunked)
    #expect(try read("HTTP/1.1 200 OK\r\n\r\n").framing == .untilClose)
    #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", to: .head).framing == .none)
    #expect(try read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", to: .head).framing == .none)
    #expect(try read("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").framing == .none)
    #expect(try read("HTTP/1.1 204 No Content\r\n\r\n").framing == .none)
    #expect(try read("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").framing == .none)
    #expect(try read("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP").framing == .none)
  }

  @Test("RFC 9112 §4: the reason phrase may be empty, with or without its space")
  func reason() throws {
    #expect(try read("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").statusAndReason == "200 ")
    #expect(try read("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").statusAndReason == "200")
    #expect(try read("HTTP/1.1 404 Not (really) Found\r\nContent-Length: 0\r\n\r\n").statusAndReason == "404 Not (really) Found")
  }

  @Test("RFC 9112 §9.3: only HTTP/1.1 without close and with a length keeps the connection")
  func persistence() throws {
    #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n").isPersistent)
    #expect(try !read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n").isPersistent)
    #expect(try !read("HTTP/1.1 200 OK\r\n\r\n").isPersistent)
    #expect(try !read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n").isPersistent)
  }

  @Test("RFC 9110 §7.6.1: connection fields of a response are removed, Proxy-Status passes")
  func cuts() throws {
    let response = try read(
      "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nUpgrade: h2c\r\n"
        + "Proxy-Authenticate: Basic\r\nProxy-Status: a\r\nX-Forwarded-For: 1\r\nX-Request-Id: 7\r\nAuthorization: x\r\n"
        + "Content-Length: 0\r\n\r\n")
    #expect(
      response.forwarded == [
        "Server: x", "Proxy-Status: a", "X-Forwarded-For: 1", "Authorization: x", "Content-Length: 0",
      ])
  }

  @Test("a response head that is cut short anywhere is incomplete, never refused")
  func prefixes() {
    let text = "HTTP/1.1 200 OK\r\nServer: a\r\nConnection: x\r\nContent-Length: 10\r\n\r\n"
    for count in 0..<text.utf8.count {
      let prefix = String(decoding: text.utf8.prefix(count), as: UTF8.self)
      #expect(readResponse(prefix) == .incomplete, "\(prefix.debugDescription)")
    }
  }
}
