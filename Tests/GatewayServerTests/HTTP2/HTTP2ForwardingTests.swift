import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite(.serialized) struct HTTP2ForwardingTests {
  @Test("RFC 9113 §3.3: a client with prior knowledge is served, and the upstream gets HTTP/1.1")
  func priorKnowledge() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let stream = client.get("/a/%7Eb?x=%2F..&y", [("accept", "*/*"), ("x-forwarded-for", "6.6.6.6"), ("te", "trailers")])
    let response = client.response(stream)
    #expect(response?.status == "200")
    #expect(response?.undated == ["content-length: 2"])
    #expect(response?.body == "ok")
    let lines = upstream.received[0].split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
    #expect(
      lines.prefix(6) == [
        "GET /a/%7Eb?x=%2F..&y HTTP/1.1", "accept: */*", "Host: \(upstream.address)", "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http", "X-Forwarded-Host: gw.example",
      ])
    #expect(lines.count { $0.lowercased().hasPrefix("te:") } == 0)
    #expect(lines.suffix(2) == ["", ""])
  }

  @Test("A preface that comes byte by byte, with what follows it, is the same to the server")
  func slowPreface() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let raw = try gateway.connect()
    let client = HTTP2Connection(raw, opensWith: nil)
    for byte in HTTP2Frame.preface + HTTP2Frame.settings().bytes { raw.send([byte]) }
    #expect(client.response(client.get("/"))?.body == "ok")
  }

  @Test("RFC 9113 §8.1: content goes both ways, with a declared length and without, trailers too")
  func content() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        if head.contains("transfer-encoding: chunked") {
          guard connection.read(Array("5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n".utf8).count) != nil else { return }
        } else {
          guard connection.read(5) != nil else { return }
        }
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n5\r\nhel")
        connection.send("lo\r\n1;x\r\n!\r\n0\r\nX-End: done\r\n\r\n")
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let post = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
    let open = client.request(post, endsStream: false)
    client.write(.data(open, "hello"), .headers(open, [("x-sum", "1")]))
    let declared = client.request(post + [("content-length", "5")], endsStream: false)
    client.write(.data(declared, "hel"), .data(declared, "lo", endsStream: true))
    for stream in [open, declared] {
      let response = client.response(stream)
      #expect(response?.body == "hello!")
      #expect(response?.undated == ["trailer: X-End"] || response?.undated == [])
      #expect(response?.trailers == ["x-end: done"])
    }
    #expect(upstream.received.joined().contains("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"))
  }

  @Test("RFC 9113 §8.2.3: cookie crumbs become one field again")
  func cookies() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let stream = client.get("/", [("cookie", "a=1"), ("x", "y"), ("cookie", "__Host-postern_session=s"), ("cookie", "b=2")])
    #expect(client.response(stream)?.status == "200")
    #expect(upstream.received[0].lowercased().contains("\r\ncookie: a=1; b=2\r\n"))
  }

  @Test("RFC 9113 §8.3.1: Host stands in for :authority, and may repeat it; OPTIONS * is judged as in HTTP/1.1")
  func authority() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let start = [(":method", "GET"), (":scheme", "https"), (":path", "/")]
    #expect(client.response(client.request(start + [("host", "one.example")]))?.body == "ok")
    #expect(client.response(client.request(start + [(":authority", "two.example"), ("host", "TWO.example")]))?.body == "ok")
    let received = upstream.received.joined()
    #expect(received.contains("X-Forwarded-Host: one.example\r\n") && received.contains("X-Forwarded-Host: two.example\r\n"))
    let options = [(":method", "OPTIONS"), (":scheme", "http"), (":authority", "a"), (":path", "*")]
    #expect(client.response(client.request(options))?.status == "400")
  }

  @Test("Responses without content end with their head: to HEAD, 204, 304; interim ones come before")
  func bodiless() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        if head.hasPrefix("HEAD") {
          connection.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n")
        } else if head.contains("/204") {
          connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
        } else {
          connection.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n")
        }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let head = client.request([(":method", "HEAD"), (":scheme", "http"), (":authority", "a"), (":path", "/")])
    #expect(client.response(head)?.undated == ["content-length: 7"])
    let empty = client.response(client.get("/204"))
    #expect(empty?.status == "204" && empty?.interim == ["103"] && empty?.body == "")
    #expect(client.response(client.get("/304"))?.undated == ["etag: \"x\""])
  }

  @Test("Streams of one connection go on side by side, and each gets its own answer")
  func multiplexing() throws {
    let upstream = try ScriptedUpstream.echo()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    for round in 0..<10 {
      let streams = (0..<100).map { number in client.get("/\(round)/\(number)") }
      for (number, stream) in streams.enumerated() { #expect(client.response(stream)?.body == "/\(round)/\(number)") }
    }
    #expect(gateway.counters.clientConnections == 1)
  }

  @Test("The client sees a reset when the upstream breaks off, never a clean end")
  func truncation() throws {
    let upstream = try ScriptedUpstream { connection, number in
      _ = connection.readMessage()
      connection.send(number == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf" : "HTTP/1.1 200 OK\r\n\r\nall")
      if number == 0 { connection.reset() }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let broken = client.response(client.get("/"))
    #expect(broken?.error != nil && broken?.isComplete == false)
    let whole = client.response(client.get("/"))
    #expect(whole?.body == "all" && whole?.isComplete == true && whole?.error == nil)
  }

  @Test("RFC 9113 §8.1: an answer before the request is complete is followed by a reset without error")
  func earlyAnswer() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway([.everything(limits: RouteLimits(bodyBytesMax: 10))], upstreams: ["up": [upstream.address]])
    let client = try gateway.connectHTTP2()
    let post = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
    let stream = client.request(post + [("content-length", "1000000")], endsStream: false)
    #expect(client.readUntil { $0.responses[stream]?.error != nil })
    #expect(client.responses[stream]?.status == "413")
    #expect(client.responses[stream]?.isComplete == true && client.responses[stream]?.error == 0)
    #expect(client.response(client.get("/"))?.body == "ok")
  }

  @Test("A client that resets a stream ends its request at the upstream")
  func clientReset() throws {
    let ended = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      _ = connection.readHead()
      while connection.receive() != nil {}
      ended.signal()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    let stream = client.get("/")
    waitUntil { upstream.connectionCount == 1 }
    client.write(.reset(stream))
    ended.wait()
    waitUntil { gateway.onEngine { $0.waitingBytes } == 0 }
  }

  @Test("RFC 9113 §5.2: a slow upstream keeps the client's windows shut, a slow client the upstream's answer back")
  func backPressure() throws {
    let gate = Semaphore()
    let length = 8 << 20
    let upstream = try ScriptedUpstream { connection, number in
      _ = connection.readHead()
      if number == 0 { gate.wait() }
      if number == 0 { while let part = connection.receive(), !part.isEmpty, connection.received.count < length {} }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n")
      connection.send([UInt8](repeating: 0x78, count: length))
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connectHTTP2()
    client.takesContent = false
    let post = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
    let up = client.request(post + [("content-length", "\(length)")], endsStream: false)
    client.readUntil { $0.settings[4] != nil }
    let part = String(repeating: "x", count: 16384)
    var sent = 0
    func window() -> Int { Int(client.settings[4] ?? 0) + client.windows[up, default: 0] }
    while sent + part.utf8.count <= window() {
      client.write(.data(up, part))
      sent += part.utf8.count
      client.write(HTTP2Frame(.ping, Array(repeating: 0, count: 8)))
      let pings = client.pings
      client.readUntil { $0.pings > pings }
    }
    // The sockets' buffers, the queue of the connection to the upstream and the stream's window: nothing grows beyond.
    #expect(sent < length)
    #expect(gateway.onEngine { $0.waitingBytes } < 2 << 20)
    gate.signal()
    while sent < length {
      client.readUntil { _ in window() >= sent + part.utf8.count }
      client.write(.data(up, part, endsStream: sent + part.utf8.count == length))
      sent += part.utf8.count
    }
    client.readUntil { $0.responses[up]?.body.utf8.count == 65535 }
    waitUntil { gateway.onEngine { $0.waitingBytes } > 0 }
    #expect(gateway.onEngine { $0.waitingBytes } < 2 << 20)
    client.takesContent = true
    client.write(.windowUpdate(0, 65535), .windowUpdate(up, 65535))
    #expect(client.response(up)?.body.utf8.count == length)
  }

  @Test("RFC 9113 §6.8: a drain names the last stream, and lets those under way end")
  func drain() throws {
    let gate = Semaphore()
    let upstream = try ScriptedUpstream(answering: ok, behind: gate)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let busy = try gateway.connectHTTP2()
    let idle = try gateway.connectHTTP2()
    let stream = busy.get("/")
    idle.readUntil { !$0.settings.isEmpty }
    waitUntil { upstream.connectionCount == 1 }
    let drained = Semaphore()
    gateway.onEngine { $0.drain(within: .seconds(20)) { drained.signal() } }
    idle.readAll()
    #expect(idle.goAway?.error == 0)
    busy.readUntil { $0.goAway != nil }
    #expect(busy.goAway?.last == 0x7fff_ffff)
    busy.readUntil { $0.goAway?.last == stream }
    gate.signal()
    #expect(busy.response(stream)?.body == "ok")
    busy.readAll()
    drained.wait()
  }

  @Test("RFC 9113 §3.2: over TLS, ALPN chooses HTTP/2 before HTTP/1.1")
  func negotiation() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let address = try gateway.listenSecurely()
    let secure = try SecureConnection(to: address, offering: [.http11, .http2])
    #expect(secure.session.applicationProtocol == .http2)
    let client = HTTP2Connection(secure)
    for _ in 0..<3 { #expect(client.response(client.get("/"))?.body == "ok") }
    #expect(upstream.received[0].contains("X-Forwarded-Proto: https\r\n"))
    let old = try SecureConnection(to: address, offering: [.http11])
    old.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(old.readHead()?.hasPrefix("HTTP/1.1 200 ") == true)
    withExtendedLifetime(gateway) {}
  }
}
