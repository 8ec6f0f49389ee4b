@testable import HTTPWire

/// Whether a fast reader and a plain one say the same of the same bytes. What is incomplete to the plain one, which waits
/// for the end, may be refused by the fast one, which does not.
enum Agreement {
  /// - Returns: nil, or what they disagree about.
  static func ofRequests(_ bytes: [UInt8], step: Int? = nil) -> String? {
    verdict(readRequest(bytes, step: step), PlainHead.request(bytes)) { fast, plain in
      var fast = fast
      // What was given of the bytes behind the head depends on the steps.
      if step != nil { fast.rest = plain.rest }
      return fast == plain
    }
  }

  static func ofResponses(_ bytes: [UInt8], to method: MethodKind, step: Int? = nil) -> String? {
    verdict(readResponse(bytes, to: method, step: step), PlainHead.response(bytes, to: method)) { fast, plain in
      var fast = fast
      if step != nil { fast.rest = plain.rest }
      return fast == plain
    }
  }

  static func ofChunks(_ bytes: [UInt8], step: Int? = nil) -> String? {
    var fast = readBody(bytes, .chunked, step: step)
    if case .read(let body) = fast, !body.isComplete { fast = .incomplete }
    return verdict(fast, PlainChunks.read(bytes)) { $0 == $1 }
  }

  private static func verdict<Value>(
    _ fast: Reading<Value>, _ plain: Reading<Value>, isEqual: (Value, Value) -> Bool
  ) -> String? {
    let agree =
      switch (fast, plain) {
      case (.read(let left), .read(let right)): isEqual(left, right)
      case (.refused, .refused), (.incomplete, .incomplete), (.refused, .incomplete): true
      default: false
      }
    return agree ? nil : "fast: \(fast)\nplain: \(plain)"
  }
}

/// Messages to start from, and what makes good ones bad.
enum Seeds {
  static let requests = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nPOST http://a.example:80/x?y HTTP/1.1\r\nHost: a.example:80\r\nConnection: x-a, close\r\nX-A: b\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n",
    "PUT /a HTTP/1.0\r\nContent-Length: 10\r\nConnection: keep-alive\r\nAuthorization: Bearer x\r\n\r\n0123456789",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\nVia: 1.1 x\r\ntraceparent: y\r\nCookie: a=b\r\n\r\n",
    "GET /x HTTP/1.1\r\nX-Forwarded-For: 1\r\nhost:a_b.c.\r\nx_forwarded_for: 2\r\nProxy: p\r\nA:\tb \r\nProxy-X: q\r\n\r\n",
  ]
  static let responses = [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, x\r\nX: y\r\n\r\nok",
    "HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\nSet_Cookie: c\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 204\r\nProxy-Status: a\r\nproxy_status: b\r\nProxy-X: c\r\nWWW-Authenticate: d\r\nwww_authenticate: e\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
  ]
  static let chunks = [
    "5\r\nhello\r\n0\r\n\r\n", "A;a=b;c=\"d\\\"\";e\r\n0123456789\r\n1\r\n\n\r\n000\r\nDigest: x\r\nContent_Md5: y\r\n\r\nGET /",
  ]
  static let pieces = [
    "\r\n", "\r", "\n", " ", "\t", ":", ";", ",", "\"", "\\", "\u{0}", "\u{7f}", "\u{80}", "\u{ff}", "0", "1", "a", "Z", "_", "-", "/", "?",
    "#", "*", "[", "]", ".", "=", "\r\n ", "\r\n\r\n", "Host: b\r\n", "Content-Length: 5\r\n", "Content-Length: 05\r\n", "content_length: 1\r\n",
    "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n", "Connection: close\r\n", "Connection: host\r\n",
    "Connection: x-a,y\r\n", "Expect: 100-continue\r\n", "TE: x\r\n", "Upgrade: h2c\r\n", "Authorization: x\r\n", "HTTP/1.0", "HTTP/1.1", "chunked",
    "http://a/", "999", "0x", "+", "%2e", "[::1]", ":80", "CONNECT", "\r\n0\r\n\r\n",
  ]

  /// A seed with a few pieces put in, taken out or put in the place of others.
  static func mutation(of seeds: [String], using generator: inout some RandomNumberGenerator) -> [UInt8] {
    var mutated = HTTPWireTests.bytes(of: seeds.randomElement(using: &generator)!)
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let position = Int.random(in: 0...mutated.count, using: &generator)
      let end = min(mutated.count, position + Int.random(in: 0...3, using: &generator))
      let piece = HTTPWireTests.bytes(of: pieces.randomElement(using: &generator)!)
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: mutated.insert(contentsOf: piece, at: position)
      case 1: mutated.replaceSubrange(position..<end, with: piece)
      default: mutated.removeSubrange(position..<end)
      }
    }
    return mutated
  }
}
