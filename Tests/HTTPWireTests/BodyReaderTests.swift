import Testing

@testable import HTTPWire

struct RefusedChunks: Sendable, CustomTestStringConvertible {
  let text: String
  let error: WireError
  init(_ text: String, _ error: WireError = .badChunk) {
    self.text = text
    self.error = error
  }
  var testDescription: String { String(text.prefix(60)).debugDescription }
}

private let chunks: [RefusedChunks] = [
  "\r\n", ";a\r\n", "x\r\n", "-1\r\na", "+1\r\na", "0x1\r\na", " 1\r\na", "1 \r\na", "1 ;a\r\na", "1\t\r\na", "1\na\r\n", "1\r\r\na", "1\rxa",
  "1\r\na0\r\n", "1\r\na\n0\r\n\r\n", "1\r\na\rx", "1\r\nab\r\n", "1\r\n\r\n\r\nx", "1234567890abcdef\r\n", "00000000000000001\r\na",
  "1;a\nb\r\n", "1;a\u{0}b\r\n", "1;\u{7f}\r\n", "1;a\rb\r\n", "1\u{0}\r\n", "1,2\r\na", "1.0\r\na", "g\r\n", "\u{e9}\r\n",
].map { RefusedChunks($0) } + [
  .init("1;\(String(repeating: "a", count: 5000))\r\na", .chunkExtensionsTooLarge),
  .init(String(repeating: "1;\(String(repeating: "a", count: 100))\r\na\r\n", count: 60), .chunkExtensionsTooLarge),
]

private let trailers: [RefusedChunks] = [
  "A b\r\n\r\n", "A : b\r\n\r\n", " A: b\r\n\r\n", "A: b\r\n c\r\n\r\n", "A: b\u{0}\r\n\r\n", "A: b\rc\r\n\r\n", "A: b\nc\r\n\r\n", "\rx", "\n", ": a\r\n\r\n",
  "Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "Host: a\r\n\r\n", "Authorization: a\r\n\r\n",
  "X-Forwarded-For: a\r\n\r\n", "X_Forwarded_For: a\r\n\r\n", "Connection: close\r\n\r\n", "Proxy-Authorization: a\r\n\r\n", "Expect: 100-continue\r\n\r\n",
  "A: \(String(repeating: "b", count: 9000))", String(repeating: "A: b\r\n", count: 33) + "\r\n",
].map { RefusedChunks("0\r\n" + $0, .badTrailers) }

@Suite struct BodyReaderTests {
  @Test("RFC 9112 §7.1: chunked framing that parsers could read differently is refused", arguments: chunks)
  func badChunks(_ refused: RefusedChunks) {
    #expect(readBody(refused.text, .chunked) == .refused(refused.error))
    #expect(readBody(refused.text, .chunked, step: 1) == .refused(refused.error))
  }

  @Test("RFC 9110 §6.5.1: a trailer section holds no framing, routing or credential", arguments: trailers)
  func badTrailers(_ refused: RefusedChunks) {
    for step in [nil, 1, 2] {
      guard case .refused = readBody(refused.text, .chunked, step: step) else {
        Issue.record("accepted in steps of \(String(describing: step))")
        continue
      }
    }
  }

  @Test("RFC 9112 §7.1: a chunked body is read the same in every split")
  func everySplit() {
    let body = "5\r\nhello\r\n00A;x=\"y\";z\r\n0123456789\r\n1;v\r\n!\r\n0;last\r\nDigest: x\r\nServer-Timing: a\tb\r\n\r\n"
    let expected = Reading<ReadBody>.read(ReadBody(content: "hello0123456789!", wireCount: body.utf8.count, isComplete: true))
    #expect(readBody(body + "GET /", .chunked) == expected)
    for step in 1...body.utf8.count { #expect(readBody(body + "GET /", .chunked, step: step) == expected) }
    let all = bytes(of: body)
    for first in 0..<all.count {
      for second in first..<all.count {
        var reader = BodyReader(.chunked)
        var taken = 0
        for end in [first, second, all.count] {
          guard let count = try? reader.advanceAll(all.span.extracting(taken..<end)) else {
            Issue.record("refused at \(first), \(second)")
            return
          }
          taken += count
        }
        #expect(reader.isComplete && taken == all.count)
      }
    }
  }

  @Test("RFC 9112 §7.1: no prefix of a chunked body is complete")
  func prefixes() {
    let body = "5\r\nhello\r\n0\r\nA: b\r\n\r\n"
    for count in 0..<body.utf8.count {
      guard case .read(let read) = readBody(String(decoding: body.utf8.prefix(count), as: UTF8.self), .chunked) else {
        Issue.record("refused")
        return
      }
      #expect(!read.isComplete)
    }
  }

  @Test("RFC 9112 §6.3: a body with a length ends there, and the next message's bytes are left")
  func length() {
    let expected = Reading<ReadBody>.read(ReadBody(content: "hello", wireCount: 5, isComplete: true))
    for step in [nil, 1, 2, 3, 4, 5, 6] { #expect(readBody("helloGET /", .length(5), step: step) == expected) }
    #expect(readBody("hell", .length(5)) == .read(ReadBody(content: "hell", wireCount: 4, isComplete: false)))
    #expect(readBody("GET /", .none) == .read(ReadBody(content: "", wireCount: 0, isComplete: true)))
  }

  @Test("RFC 9112 §6.3: a body until close never ends by itself")
  func untilClose() {
    #expect(readBody("hello", .untilClose, step: 1) == .read(ReadBody(content: "hello", wireCount: 5, isComplete: false)))
  }

  @Test("the largest chunk size that is read does not overflow")
  func largestChunk() {
    #expect(readBody("FFFFFFFFFFFFFFF\r\nab", .chunked) == .read(ReadBody(content: "ab", wireCount: 19, isComplete: false)))
  }
}
