import EventLoop
import HTTPWire
import ReverseProxy
import TestCertificates
import Testing

@testable import GatewayServer

private let get = "GET / HTTP/1.1\r\nHost: gw.example\r\n\r\n"

@Suite(.serialized) struct HTTP2UpstreamTests {
  @Test("A server of HTTP/2 gets the request that was decided, and its answer comes back as HTTP/1.1")
  func exchange() throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        let address = request.fields.first { $0.hasPrefix("x-forwarded-for") } ?? ""
        connection.respond(stream, "200", [("x-saw", (request.pseudo + [address] + request.trailers).joined(separator: "; "))], request.body)
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connect()
    client.send("POST /a?b=c HTTP/1.1\r\nHost: gw.example\r\nConnection: x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nContent-Length: 5\r\n\r\nhello")
    let saw = ":method: POST; :scheme: http; :authority: \(upstream.address); :path: /a?b=c; x-forwarded-for: 127.0.0.1"
    #expect(client.readHead()?.undated == "HTTP/1.1 200 \r\nx-saw: \(saw)\r\ntransfer-encoding: chunked\r\n\r\n")
    #expect(client.read(15) == Array("5\r\nhello\r\n0\r\n\r\n".utf8))
    client.send("POST / HTTP/1.1\r\nHost: gw.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n")
    #expect(client.readHead()?.contains("; x-sum: 1\r\n") == true)
    #expect(upstream.connectionCount == 1)
  }

  @Test("RFC 9113 §5.1.2: requests share a connection up to the server's limit, and the next one begins another")
  func sharing() throws {
    let gate = Semaphore()
    let upstream = try ScriptedUpstream(http2: [(3, 2)]) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        if !request.pseudo.contains(":path: /first") { gate.wait() }
        connection.respond(stream, "200", [("content-length", "2")], "ok")
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let clients = try (0..<3).map { _ in try gateway.connect() }
    // The server's limit is known once it was heard from.
    clients[0].send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(clients[0].readMessage()?.body == "ok")
    for _ in 0..<2 {
      for client in clients { client.send(get) }
      waitUntil { upstream.connectionCount == 2 }
      for _ in clients { gate.signal() }
      for client in clients { #expect(client.readMessage()?.body == "ok") }
    }
    #expect(upstream.connectionCount == 2)
  }

  @Test("RFC 9113 §8.1: answers without content, interim answers and trailers keep their meaning")
  func framing() throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        switch request.pseudo.first(where: { $0.hasPrefix(":path") }) {
        case ":path: /head": connection.respond(stream, "200", [("content-length", "7")])
        case ":path: /204":
          connection.write(.headers(stream, [(":status", "103"), ("link", "</a>")], endsStream: false))
          connection.respond(stream, "204")
        case ":path: /304": connection.respond(stream, "304", [("content-length", "7")])
        case ":path: /empty": connection.respond(stream, "200")
        default:
          connection.write(
            .headers(stream, [(":status", "200")], endsStream: false), .data(stream, "hel"), .data(stream, "lo"),
            .headers(stream, [("x-sum", "1")]))
        }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connect()
    client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.undated == "HTTP/1.1 200 \r\ncontent-length: 7\r\n\r\n")
    client.send("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead() == "HTTP/1.1 103 \r\nlink: </a>\r\n\r\n")
    #expect(client.readHead()?.undated == "HTTP/1.1 204 \r\n\r\n")
    client.send("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.undated == "HTTP/1.1 304 \r\ncontent-length: 7\r\n\r\n")
    client.send("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.undated == "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n")
    client.send("GET /trailers HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(
      client.readAll().undated
        == "HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\nConnection: close\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx-sum: 1\r\n\r\n")
  }

  @Test("RFC 9113 §8.1.1: a malformed answer is 502, and the other streams of its connection go on", arguments: [
    [(":status", "200"), ("Upper", "x")], [(":status", "200"), ("connection", "close")], [("a", "b")],
    [(":status", "200"), ("transfer-encoding", "chunked")], [(":status", "101")], [(":status", "20")],
    [(":status", "200"), ("a", "b\r\nset-cookie: c=d")], [(":status", "200"), (":status", "204")],
    [(":status", "200"), ("content-length", "5")], [(":status", "200"), ("content-length", "5"), ("content-length", "5")],
    [(":status", "200"), (":path", "/")], [(":status", "200"), ("a", " b")],
  ])
  func malformed(fields: [(String, String)]) throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        if request.pseudo.contains(":path: /bad") {
          connection.write(.headers(stream, fields))
        } else {
          connection.respond(stream, "200", [("content-length", "2")], "ok")
        }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connect()
    client.send("POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 502 ") == true)
    client.send(get)
    #expect(client.readMessage()?.body == "ok")
    #expect(upstream.connectionCount == 1)
  }

  @Test("RFC 9113 §8.1.1: content that is more or less than was declared is a truncation to the client", arguments: ["hel", "hello!", "hello world"])
  func contentLength(content: String) throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      while let (stream, _) = connection.nextRequest() { connection.respond(stream, "200", [("content-length", "5")], content) }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    let answer = client.readMessage()
    #expect(answer == nil || answer?.head.hasPrefix("HTTP/1.1 502 ") == true)
  }

  @Test("RFC 9113 §8.7: what a server refused or did not look at is sent again, whatever its method")
  func refusedStream() throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, number in
      var isFirst = true
      while let (stream, request) = connection.nextRequest() {
        if number == 0, isFirst {
          isFirst = false
          connection.write(.reset(stream, HTTP2ErrorCode.refusedStream.rawValue))
        } else if number == 0 {
          // It goes, and says that the request before was the last it has seen.
          connection.write(HTTP2Frame(.goAway, (stream - 2).wireBytes + UInt32(0).wireBytes))
        } else {
          connection.respond(stream, "200", [("content-length", "\(request.body.utf8.count)")], request.body)
        }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
    // Refused once and sent again; then the connection goes before it is looked at, and there is no third time.
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 502 ") == true)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
    #expect(client.readMessage()?.body == "ok")
    #expect(upstream.connectionCount == 2)
  }

  @Test("RFC 9113 §6.8: a server that goes away ends what it has begun; the next request begins a connection")
  func goAway() throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      guard let (stream, _) = connection.nextRequest() else { return }
      connection.write(HTTP2Frame(.goAway, stream.wireBytes + UInt32(0).wireBytes))
      connection.respond(stream, "200", [("content-length", "2")], "ok")
      connection.readAll()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connect()
    for _ in 0..<3 {
      client.send(get)
      #expect(client.readMessage()?.body == "ok")
    }
    #expect(upstream.connectionCount == 3)
  }

  @Test("A server that resets a stream fails that request only: before the head it is 502, behind it a truncation")
  func reset() throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        if request.pseudo.contains(":path: /half") {
          connection.write(.headers(stream, [(":status", "200")], endsStream: false), .data(stream, "half"))
        }
        connection.write(.reset(stream, 2))
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    #expect(client.readMessage()?.head.contains("Proxy-Status: postern; error=connection_terminated") == true)
    client.send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(!client.readAll().hasSuffix("0\r\n\r\n"))
    #expect(upstream.connectionCount == 1)
  }

  @Test("A server that is not there, or speaks no HTTP/2, is 502")
  func unreachable() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      _ = connection.read(HTTP2Frame.preface.count)
      connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    }
    let gateway = try Gateway.http2(upstream.address)
    #expect(try gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").hasPrefix("HTTP/1.1 502 "))
    upstream.stop()
    waitUntil { (try? RawConnection(to: upstream.address))?.receive() == nil }
    let refused = try Gateway.http2(SocketAddress(literal: "127.0.0.1", port: 1)!)
    #expect(try refused.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").contains("error=connection_refused"))
  }

  @Test("A client that goes away resets its stream, and nobody else's")
  func clientGone() throws {
    let ended = Semaphore()
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      connection.readUntil { $0.responses.values.contains { $0.error != nil } }
      ended.signal()
      while let (stream, _) = connection.nextRequest() { connection.respond(stream, "200", [("content-length", "2")], "ok") }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let gone = try gateway.connect()
    gone.send(get)
    waitUntil { upstream.connectionCount == 1 }
    gone.reset()
    ended.wait()
    let client = try gateway.connect()
    client.send(get)
    #expect(client.readMessage()?.body == "ok")
    #expect(upstream.connectionCount == 1)
  }

  @Test("Content flows through two connections of HTTP/2 under back-pressure both ways")
  func throughBoth() throws {
    let length = 4 << 20
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        #expect(request.body.utf8.count == length)
        connection.write(.headers(stream, [(":status", "200")], endsStream: false))
        var sent = 0
        func window() -> Int {
          min(Int(connection.settings[4] ?? 0) + connection.windows[stream, default: 0], 65535 + connection.windows[0, default: 0])
        }
        while sent < length {
          let count = min(16384, length - sent)
          guard connection.readUntil({ _ in window() >= sent + count }) else { return }
          connection.write(.data(stream, String(repeating: "y", count: count), endsStream: sent + count == length))
          sent += count
        }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connectHTTP2()
    client.readUntil { $0.settings[4] != nil }
    let stream = client.request([(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")], endsStream: false)
    var sent = 0
    func window() -> Int { min(Int(client.settings[4] ?? 0) + client.windows[stream, default: 0], 65535 + client.windows[0, default: 0]) }
    let part = String(repeating: "x", count: 16384)
    while sent < length {
      guard client.readUntil({ _ in window() >= sent + 16384 }) else { break }
      sent += 16384
      client.write(.data(stream, part, endsStream: sent == length))
    }
    #expect(client.response(stream)?.body.utf8.count == length)
    #expect(gateway.onEngine { $0.waitingBytes } == 0)
  }

  @Test("RFC 9113 §3.2: over TLS the server chooses, and its name is verified before anything is sent", arguments: [
    Upstream.ApplicationProtocol.http2, .negotiated,
  ])
  func negotiation(protocol: Upstream.ApplicationProtocol) throws {
    let upstream = try ScriptedUpstream(certificate: TestCertificates.shared.server) { secure, _ in
      guard secure.session.applicationProtocol == .http2, secure.read(24) == HTTP2Frame.preface else { return }
      let connection = HTTP2Connection(secure, opensWith: nil)
      connection.write(.settings())
      while let (stream, request) = connection.nextRequest() {
        connection.respond(stream, "200", [("content-length", "5")], request.pseudo.contains(":scheme: https") ? "https" : "other")
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let origin = try Origin("https://localhost:\(upstream.address.port)")
    var declared = Upstream(name: "up", servers: [origin])
    declared.applicationProtocol = `protocol`
    let snapshot = GatewaySnapshot(
      routes: try RouteTable([.everything()]), upstreams: [declared], addresses: [origin: [upstream.address]],
      tls: ["up": try TLSClientContext(authorities: TestCertificates.shared.authority.certificate)])
    gateway.onEngine { $0.apply(snapshot) }
    let client = try gateway.connect()
    for _ in 0..<5 {
      client.send(get)
      #expect(client.readMessage()?.body == "https")
    }
    #expect(upstream.connectionCount == 1)
  }
}
