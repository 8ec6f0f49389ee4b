import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let protocolError: UInt32 = 1

private let get: [(String, String)] = [(":method", "GET"), (":scheme", "http"), (":authority", "gw.example"), (":path", "/")]

/// A good request with one field replaced, or left out.
private func replacing(_ name: String, _ value: String?) -> [(String, String)] {
  get.compactMap { field in field.0 == name ? value.map { (name, $0) } : field }
}

/// A request that no HTTP/1.1 line may come of.
struct MalformedRequest: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let fields: [(String, String)]

  init(_ description: String, _ fields: [(String, String)]) {
    testDescription = description
    self.fields = fields
  }

  static let all: [MalformedRequest] = [
    // Source: RFC 9113 §8.2.1.
    MalformedRequest("an upper-case name", get + [("Accept", "x")]),
    MalformedRequest("a space in a name", get + [("a b", "x")]),
    MalformedRequest("a colon in a name", get + [("a:b", "x")]),
    MalformedRequest("a line break in a name", get + [("a: b\r\nx-forwarded-for", "x")]),
    MalformedRequest("an empty name", get + [("", "x")]),
    MalformedRequest("CR LF in a value", get + [("a", "b\r\nauthorization: Bearer x")]),
    MalformedRequest("CR in a value", get + [("a", "b\rc")]),
    MalformedRequest("LF in a value", get + [("a", "b\nc: d")]),
    MalformedRequest("NUL in a value", get + [("a", "b\0c")]),
    MalformedRequest("DEL in a value", get + [("a", "b\u{7f}c")]),
    MalformedRequest("a space before a value", get + [("a", " b")]),
    MalformedRequest("a tab behind a value", get + [("a", "b\t")]),
    MalformedRequest("CR LF in a cookie", get + [("cookie", "a=b\r\nx: y")]),
    // Source: RFC 9113 §8.2.2.
    MalformedRequest("connection", get + [("connection", "keep-alive")]),
    MalformedRequest("keep-alive", get + [("keep-alive", "5")]),
    MalformedRequest("proxy-connection", get + [("proxy-connection", "keep-alive")]),
    MalformedRequest("transfer-encoding", get + [("transfer-encoding", "chunked")]),
    MalformedRequest("upgrade", get + [("upgrade", "websocket")]),
    MalformedRequest("te other than trailers", get + [("te", "gzip")]),
    // Source: RFC 9113 §8.3, §8.3.1.
    MalformedRequest("no :method", replacing(":method", nil)),
    MalformedRequest("no :scheme", replacing(":scheme", nil)),
    MalformedRequest("no :path", replacing(":path", nil)),
    MalformedRequest("no :authority and no host", replacing(":authority", nil)),
    MalformedRequest(":path twice", get + [(":path", "/admin")]),
    MalformedRequest(":method twice", [(":method", "POST")] + get),
    MalformedRequest("a pseudo-field behind a field", [(":method", "GET"), (":scheme", "http"), ("a", "b"), (":authority", "a"), (":path", "/")]),
    MalformedRequest("an unknown pseudo-field", get + [(":foo", "x")]),
    MalformedRequest("a pseudo-field of responses", get + [(":status", "200")]),
    MalformedRequest("another scheme", replacing(":scheme", "ftp")),
    MalformedRequest("an empty :path", replacing(":path", "")),
    MalformedRequest("a relative :path", replacing(":path", "x")),
    MalformedRequest("an absolute :path", replacing(":path", "http://evil.example/")),
    MalformedRequest("an asterisk without OPTIONS", replacing(":path", "*")),
    MalformedRequest("CONNECT with a :path", replacing(":method", "CONNECT")),
    MalformedRequest("host that is another", get + [("host", "evil.example")]),
    MalformedRequest("host twice", get + [("host", "gw.example"), ("host", "gw.example")]),
    // What an HTTP/1.1 line would read differently.
    MalformedRequest("a request line in :path", replacing(":path", "/ HTTP/1.1\r\nX-A: b\r\n\r\nGET /evil")),
    MalformedRequest("a space in :path", replacing(":path", "/a b")),
    MalformedRequest("a tab in :path", replacing(":path", "/a\tb")),
    MalformedRequest("a fragment in :path", replacing(":path", "/a#b")),
    MalformedRequest("DEL in :path", replacing(":path", "/a\u{7f}")),
    MalformedRequest("bytes beyond ASCII in :path", replacing(":path", "/\u{e9}")),
    MalformedRequest("a request line in :method", replacing(":method", "GET /evil HTTP/1.1\r\nX: y\r\n\r\nGET")),
    MalformedRequest("a space in :method", replacing(":method", "GET /evil")),
    MalformedRequest("an empty :method", replacing(":method", "")),
    MalformedRequest("CR LF in :authority", replacing(":authority", "a\r\nx: y")),
    MalformedRequest("a space in :authority", replacing(":authority", "a b")),
    MalformedRequest("user information in :authority", replacing(":authority", "user@gw.example")),
    MalformedRequest("a path in :authority", replacing(":authority", "gw.example/evil")),
    MalformedRequest("an empty :authority", replacing(":authority", "")),
    // Source: RFC 9113 §8.1.1.
    MalformedRequest("content-length without content", get + [("content-length", "5")]),
    MalformedRequest("content-length twice", get + [("content-length", "0"), ("content-length", "0")]),
    MalformedRequest("content-length with a sign", get + [("content-length", "+0")]),
    MalformedRequest("content-length as a list", get + [("content-length", "0, 0")]),
    MalformedRequest("content-length with padding", get + [("content-length", "00")]),
  ]
}

@Suite(.serialized) struct HTTP2RefusalTests {
  @Test("RFC 9113 §8.1.1: a malformed request is a stream error, and nothing of it reaches an upstream", arguments: MalformedRequest.all)
  func malformed(request: MalformedRequest) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let bad = client.request(request.fields)
    let good = client.get("/good")
    #expect(client.response(bad)?.error == protocolError)
    #expect(client.response(good)?.body == "ok")
    #expect(upstream.received.joined().ranges(of: "HTTP/1.1\r\n").count == 1)
  }

  @Test("RFC 9113 §8.1.1: content that is more or less than was declared ends the stream; it never becomes another request")
  func contentLength() throws {
    let upstream = try RecordingUpstream()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let post = [(":method", "POST")] + get.dropFirst() + [("content-length", "5")]
    let evil = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    for content in [["hello" + evil], ["hello", evil], ["hel"], ["hello", "!"], [""]] {
      let stream = client.request(post, endsStream: false)
      for (index, part) in content.enumerated() { client.write(.data(stream, part, endsStream: index == content.count - 1)) }
      let response = client.response(stream)
      // What was declared may have been answered before the rest came.
      #expect(response?.error == protocolError || content[0] == "hello" && response?.error == nil)
    }
    #expect(client.response(client.get("/good"))?.body == "ok")
    let complete = upstream.takeMessages().filter(\.isComplete)
    // What was declared may have gone on before the rest came: that is a whole request, with nothing behind it.
    let others = complete.filter { !$0.bytes.starts(with: "GET /good ".utf8) }
    #expect(complete.count == others.count + 1)
    #expect(others.allSatisfy { $0.bytes.starts(with: "POST ".utf8) && $0.bytes.suffix(9).elementsEqual("\r\n\r\nhello".utf8) })
  }

  @Test("Downgrade: content that looks like chunks or a request stays content")
  func contentStaysContent() throws {
    let upstream = try RecordingUpstream()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let content = "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    let stream = client.request([(":method", "POST")] + get.dropFirst(), endsStream: false)
    client.write(.data(stream, content, endsStream: true))
    #expect(client.response(stream)?.body == "ok")
    let messages = upstream.takeMessages()
    #expect(messages.count == 1 && messages[0].isComplete)
    let length = String(content.utf8.count, radix: 16)
    #expect(String(decoding: messages[0].bytes, as: UTF8.self).hasSuffix("\r\n\r\n\(length)\r\n\(content)\r\n0\r\n\r\n"))
  }

  @Test("RFC 9110 §6.5.1: trailers that decide something are refused, pseudo-fields among them")
  func trailers() throws {
    let upstream = try RecordingUpstream()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    for trailer in [(":path", "/evil"), ("authorization", "Bearer x"), ("content-length", "3"), ("Upper", "x"), ("a", "b\r\nc: d")] {
      let client = try gateway.connectHTTP2()
      let stream = client.request([(":method", "POST")] + get.dropFirst(), endsStream: false)
      client.write(.data(stream, "hello"), .headers(stream, [trailer]))
      let response = client.response(stream)
      #expect(response?.error == protocolError || response?.status == "400", "\(trailer)")
    }
    #expect(upstream.takeMessages().filter(\.isComplete).isEmpty)
  }

  @Test("A head beyond the limits is answered as in HTTP/1.1; one far beyond ends the connection")
  func largeHeads() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    func status(_ fields: [(String, String)]) -> String? {
      let stream = client.newStream()
      client.write(HTTP2Frame.split(stream, fields))
      return client.response(stream)?.status
    }
    let long = String(repeating: "x", count: 20_000)
    #expect(status(get + [("a", long)]) == "200")
    #expect(status(get + [("a", long), ("b", long)]) == "431")
    #expect(status(get + (0..<101).map { ("a\($0)", "x") }) == "431")
    #expect(status(get + (0..<200).map { ("cookie", "\($0)=" + long.prefix(200)) }) == "431")
    #expect(status(replacing(":path", "/" + long)) == "414")
    #expect(status(get + (0..<7).map { ("a\($0)", long) }) == nil)
    #expect(client.goAway?.error == HTTP2ErrorCode.enhanceYourCalm.rawValue)
  }

  @Test("RFC 9113 §3.4: a preface that is not one ends the connection; HTTP/1.1 does not go over into HTTP/2")
  func badPreface() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    #expect(try !gateway.exchange("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + String(repeating: "x", count: 64)).contains("HTTP/1.1"))
    #expect(try gateway.exchange("PRI * HTTP/2.0 \r\n\r\n").hasPrefix("HTTP/1.1 400 "))
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readMessage()?.body == "ok")
    client.send(HTTP2Frame.preface)
    #expect(client.readAll().hasPrefix("HTTP/1.1 505 "))
  }

  @Test("RFC 9113 §6.5, §6.6, §5.1.1: frames out of place end the connection")
  func badFrames() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let frames: [[HTTP2Frame]] = [
      [HTTP2Frame(.settings, [1, 2, 3])],
      [HTTP2Frame(.ping, [1])],
      [.data(1, "x")],
      [.headers(2, get)],
      [HTTP2Frame(.pushPromise, flags: HTTP2Frame.endHeaders, stream: 1, [0, 0, 0, 2])],
      [HTTP2Frame(.headers, flags: HTTP2Frame.endHeaders | HTTP2Frame.endStream, stream: 1, [0xff, 0xff, 0xff, 0xff, 0xff])],
      [HTTP2Frame(.headers, stream: 1, []), HTTP2Frame(.ping, Array(repeating: 0, count: 8))],
      [HTTP2Frame(.windowUpdate, [0, 0, 0, 0])],
    ]
    for frames in frames {
      let client = try gateway.connectHTTP2()
      client.write(frames)
      client.readAll()
      #expect(client.goAway?.error != nil && client.goAway?.error != 0, "\(frames)")
    }
    waitUntil { gateway.counters.clientConnections == 0 }
  }
}
