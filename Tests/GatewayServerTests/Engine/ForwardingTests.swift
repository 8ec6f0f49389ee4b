import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite(.serialized) struct ForwardingTests {
  @Test("the upstream gets the bytes that were matched, with what Postern sets in place of what the client sent")
  func exactBytes() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let rewrite = try PathRewrite(stripPrefix: "/photos", addPrefix: "/api/v1", for: PathPattern("/photos/**"))
    let route = Route(
      name: "photos", pattern: try PathPattern("/photos/**"), access: .anonymous, upstream: "up", rewrite: rewrite)
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]])
    let answer = try gateway.exchange(
      "GET /photos/%7Ea/1?x=%2F..&y HTTP/1.1\r\nHost: gw.example\r\nAccept: */*\r\nX-Forwarded-For: 6.6.6.6\r\n"
        + "x_forwarded_proto: https\r\nForwarded: for=6.6.6.6\r\nX-Hop: 1\r\nConnection: close, x-hop\r\nTE: trailers\r\n"
        + "Authorization: Bearer abc\r\nCookie: a=b; __Host-postern_session=secret; c=d\r\nProxy-Authorization: x\r\n"
        + "X-Request-Id: mine\r\nUpgrade: websocket\r\nAccept-Language: en\r\n\r\n")
    #expect(answer.undated == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    let lines = upstream.received[0].split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
    #expect(
      lines.prefix(8) == [
        "GET /api/v1/%7Ea/1?x=%2F..&y HTTP/1.1", "Accept: */*", "Cookie: a=b; c=d", "Accept-Language: en",
        "Host: \(upstream.address)", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: gw.example",
      ])
    #expect(lines[8].hasPrefix("X-Request-Id: ") && lines[8].count == 14 + 32)
    #expect(lines[9...] == ["", ""])
  }

  @Test("RFC 9112 §9.3: both connections are used again")
  func keepAlive() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    for _ in 0..<20 {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.readMessage()?.body == "ok")
    }
    #expect(upstream.connectionCount == 1)
  }

  @Test("RFC 9112 §9.3.2: pipelined requests are answered in their order")
  func pipelining() throws {
    let upstream = try ScriptedUpstream.echo()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send((0..<500).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
    for number in 0..<500 { #expect(client.readMessage()?.body == "/\(number)") }
  }

  @Test("RFC 9112 §6: a body is forwarded as it is framed, however it arrives", arguments: [1, 3, 1000])
  func requestBodies(step: Int) throws {
    let upstream = try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        if head.contains("chunked") {
          guard connection.read(Array("5\r\nhello\r\n0\r\nA: b\r\n\r\n".utf8).count) != nil else { return }
        } else {
          guard connection.read(5) != nil else { return }
        }
        connection.send(ok)
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    let requests = [
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    ]
    let bytes = Array((requests[0] + requests[1] + requests[0]).utf8)
    onThread {
      for start in stride(from: 0, to: bytes.count, by: step) { client.send(Array(bytes[start..<min(start + step, bytes.count)])) }
    }
    for _ in 0..<3 { #expect(client.readMessage()?.body == "ok") }
    #expect(upstream.connectionCount == 1)
    #expect(upstream.received[0].contains("\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\nPOST /1 "))
  }

  @Test("RFC 9112 §7: a chunked response passes as it is, to an HTTP/1.0 client without its framing")
  func chunkedResponse() throws {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    let upstream = try ScriptedUpstream { connection, _ in
      while connection.readHead() != nil {
        for part in [chunked + "5\r\nhel", "lo\r\n", "1;x\r\n", "!\r\n0\r\n", "\r\n"] { connection.send(part) }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    #expect(
      try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").undated
        == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n1;x\r\n!\r\n0\r\n\r\n")
    #expect(
      try gateway.exchange("GET / HTTP/1.0\r\nHost: a\r\n\r\n").undated == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello!")
    #expect(upstream.connectionCount == 1)
  }

  @Test("RFC 9112 §9.3: an HTTP/1.0 client keeps its connection when it asks to")
  func http10KeepAlive() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    for _ in 0..<2 {
      client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
      let message = client.readMessage()
      #expect(message?.body == "ok")
      #expect(message?.head.contains("Connection: keep-alive\r\n") == true)
    }
  }

  @Test("RFC 9110 §15.2: interim responses pass before the final one")
  func interim() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        if head.contains("100-continue") {
          connection.send("HTTP/1.1 100 Continue\r\n\r\n")
          guard connection.read(5) != nil else { return }
        }
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\(ok)")
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    #expect(client.readHead() == "HTTP/1.1 100 Continue\r\n\r\n")
    client.send("hello")
    #expect(client.readHead() == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    #expect(client.readMessage()?.body == "ok")
    #expect(upstream.received[0].contains("Expect: 100-continue\r\n"))
  }

  @Test("RFC 9112 §6.3: responses to HEAD, 204 and 304 have no body, and the connection goes on")
  func bodiless() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        let path = head.split(separator: " ")[1]
        switch path {
        case "/204": connection.send("HTTP/1.1 204 No Content\r\n\r\n")
        case "/304": connection.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")
        default: connection.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + (head.hasPrefix("HEAD") ? "" : "content"))
        }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    for (request, status) in [("HEAD /", "200"), ("GET /204", "204"), ("GET /304", "304"), ("HEAD /", "200")] {
      client.send("\(request) HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.readHead()?.hasPrefix("HTTP/1.1 \(status)") == true)
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readMessage()?.body == "content")
    #expect(upstream.connectionCount == 1)
  }

  @Test("RFC 9110 §11.6.1: an upstream's challenge passes under another name, its session cookie for Postern does not")
  func challenge() throws {
    let upstream = try ScriptedUpstream(
      answering: "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nSet-Cookie: __Host-postern_session=1\r\n"
        + "Set-Cookie: a=b\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n")
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    #expect(
      try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").undated
        == "HTTP/1.1 401 Unauthorized\r\nUpstream-WWW-Authenticate: Basic realm=\"x\"\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
  }

  @Test("a client that has ended its own side still gets its response")
  func halfClosed() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.endSending()
    #expect(client.readAll().undated == ok)
  }

  @Test("bodies larger than any buffer stream both ways, and a slow reader holds the sender back")
  func backPressure() throws {
    let size = 24 << 20
    let sent = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      // What came together with the head is body already.
      var left = size - connection.pending.count
      while left > 0, let bytes = connection.receive() { left -= bytes.count }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
      connection.send([UInt8](repeating: 7, count: size))
      sent.signal()
      _ = connection.readHead()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    onThread {
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
      client.send([UInt8](repeating: 1, count: size))
    }
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 200") == true)
    let held = gateway.onEngine { $0.waitingBytes }
    let limits = EngineLimits()
    #expect(held <= 2 * (limits.highWatermark + limits.receptionBytes))
    #expect(client.read(size)?.allSatisfy { $0 == 7 } == true)
    sent.wait()
  }

  @Test("RFC 9110 §9.2.2: a pooled connection that its server has closed costs a retry, not an error")
  func stalePooledConnection() throws {
    let upstream = try ScriptedUpstream { connection, number in
      guard connection.readHead() != nil else { return }
      connection.send(ok)
      // The second request on the first connection is read and dropped.
      if number == 0 {
        _ = connection.readHead()
        return connection.close()
      }
      while connection.readHead() != nil { connection.send(ok) }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    for _ in 0..<3 {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.readMessage()?.body == "ok")
    }
    #expect(upstream.connectionCount == 2)
    #expect(gateway.counters.upstreamRetries == 1)
  }

  @Test("connections that a server ends leave the pool, and the others stay in it")
  func poolAfterEnds() throws {
    let (together, ended) = (5, 3)
    let arrived = Semaphore()
    let mayAnswer = (0..<together + ended).map { _ in Semaphore() }
    let (mayEnd, hasEnded) = (Semaphore(), Semaphore())
    let upstream = try ScriptedUpstream { connection, number in
      while connection.readHead() != nil {
        arrived.signal()
        mayAnswer[number].wait()
        connection.send(ok)
        guard number < ended else { continue }
        mayEnd.wait()
        connection.close()
        return hasEnded.signal()
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let clients = try (0..<together).map { _ in try gateway.connect() }
    func requestsAtOnce(on connections: Range<Int>) {
      for client in clients { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
      for _ in clients { arrived.wait() }
      for number in connections { mayAnswer[number].signal() }
      for client in clients { #expect(client.readMessage()?.body == "ok") }
    }
    requestsAtOnce(on: 0..<together)
    for _ in 0..<ended { mayEnd.signal() }
    for _ in 0..<ended { hasEnded.wait() }
    requestsAtOnce(on: ended..<together + ended)
    #expect(upstream.connectionCount == together + ended)
  }

  @Test("RFC 9110 §9.2.2: a request that is not idempotent is never sent twice")
  func noRetryOfPost() throws {
    let upstream = try ScriptedUpstream { connection, number in
      guard connection.readMessage() != nil else { return }
      connection.send(ok)
      _ = connection.readMessage()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    #expect(client.readMessage()?.body == "ok")
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 502") == true)
    #expect(upstream.received.joined().components(of: "POST ") == 2)
  }

  @Test("10,000 requests over one pool, with errors between them, each get their own answer")
  func noDesynchronisation() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        let path = head.split(separator: " ")[1]
        if path.hasSuffix("3") { return connection.reset() }
        if path.hasSuffix("5") { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nbad") }
        let extra = path.hasSuffix("7") ? "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" : ""
        guard connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count)\r\n\r\n\(path)\(extra)") else { return }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let failures = ResultBox<Int>()
    let finished = Semaphore()
    for worker in 0..<4 {
      let client = try gateway.connect()
      onThread {
        var wrong = 0
        for number in 0..<2500 {
          let path = "/\(worker)/\(number)"
          client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
          guard let message = client.readMessage() else {
            wrong += 1
            break
          }
          let mayFail = path.hasSuffix("3") || path.hasSuffix("5")
          if mayFail ? !message.head.hasPrefix("HTTP/1.1 502") : message.body != path { wrong += 1 }
        }
        if wrong > 0 { failures.set(wrong) }
        finished.signal()
      }
    }
    for _ in 0..<4 { finished.wait() }
    onThread { failures.set(0) }
    #expect(failures.wait() == 0)
  }
}

extension String {
  func components(of needle: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: needle) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
