import EventLoop
import ReverseProxy
import TestCertificates
import Testing

@testable import GatewayServer

private let connect: [(String, String)] = [
  (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "gw.example"), (":path", "/chat?a=b"),
  ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"),
]

/// WebSockets to upstreams that are spoken to in HTTP/2.
@Suite(.serialized) struct WebSocketToHTTP2Tests {
  /// Opens a WebSocket, sends everything back, and ends when the client does.
  private static func script(_ answer: [(String, String)] = [(":status", "200")]) -> @Sendable (HTTP2Connection, Int) -> Void {
    { connection, _ in
      guard connection.readUntil({ $0.responses[1]?.pseudo.isEmpty == false }), let request = connection.responses[1] else { return }
      let saw = (request.pseudo + request.fields).filter { $0.hasPrefix(":") || $0.hasPrefix("sec-") || $0.hasPrefix("upgrade") }
      connection.write(.headers(1, answer + [("x-saw", saw.joined(separator: "; "))], endsStream: false))
      var sent = 0
      func next() -> (part: String, isLast: Bool)? {
        guard let seen = connection.responses[1], seen.body.utf8.count > sent || seen.isComplete else { return nil }
        return (String(seen.body.dropFirst(sent)), seen.isComplete)
      }
      while connection.readUntil({ _ in next() != nil }), let (part, isLast) = next() {
        connection.write(.data(1, part, endsStream: isLast))
        if isLast { break }
        sent += part.utf8.count
      }
      connection.readAll()
    }
  }

  private static func echo(
    _ answer: [(String, String)] = [(":status", "200")], settings: [(UInt16, UInt32)] = [(8, 1)]
  ) throws -> ScriptedUpstream {
    try ScriptedUpstream(http2: settings, script(answer))
  }

  private static let saw = ":method: CONNECT; :protocol: websocket; :scheme: http; :authority: @; :path: /chat?a=b; "

  @Test("RFC 8441 §5: an upgrade of HTTP/1.1 becomes an extended CONNECT, any 2xx to it the 101, whatever content it declares", arguments: [
    [(":status", "200")], [(":status", "299"), ("content-length", "7"), ("sec-websocket-accept", "wrong")],
  ])
  func fromHTTP1(answer: [(String, String)]) throws {
    let upstream = try Self.echo(answer)
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address, streams: .webSocket)
    let client = try gateway.connect()
    client.send(WebSocketPeer.request("Sec-WebSocket-Protocol: chat\r\n", path: "/chat?a=b") + "ahead;")
    let saw = Self.saw.replacing("@", with: "\(upstream.address)") + "sec-websocket-version: 13; sec-websocket-protocol: chat"
    #expect(
      client.readHead() == "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: \(WebSocketPeer.accept)\r\nx-saw: \(saw)\r\n"
        + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    #expect(client.read(6) == Array("ahead;".utf8))
    for number in 10..<30 {
      client.send("frame \(number);")
      #expect(client.read(9) == Array("frame \(number);".utf8))
    }
    #expect(gateway.counters.webSockets == 1)
    client.endSending()
    #expect(client.readAll().isEmpty)
    waitUntil { gateway.onEngine { $0.waitingBytes } == 0 && gateway.counters.clientConnections == 0 }
  }

  @Test("RFC 8441 §4, §5: a WebSocket of HTTP/2 goes on as one of HTTP/2")
  func fromHTTP2() throws {
    let upstream = try Self.echo()
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address, streams: .webSocket)
    let client = try gateway.connectHTTP2()
    client.readUntil { $0.settings[8] == 1 }
    let stream = client.request(connect, endsStream: false)
    #expect(client.readUntil { $0.responses[stream]?.status == "200" })
    let saw = Self.saw.replacing("@", with: "\(upstream.address)") + "sec-websocket-version: 13; sec-websocket-protocol: chat"
    #expect(client.responses[stream]?.undated == ["x-saw: \(saw)"])
    #expect(client.isEchoed(on: stream))
    let response = client.response(stream)
    #expect(response?.isComplete == true && response?.error == nil)
  }

  @Test("RFC 8441 §3: a server that has not said that it takes WebSockets is asked for none: 502, and nothing speaks against it", arguments: [
    [], [(8, 0)],
  ] as [[(UInt16, UInt32)]])
  func unannounced(settings: [(UInt16, UInt32)]) throws {
    let upstream = try ScriptedUpstream.http2Echo(settings: settings)
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address, streams: .webSocket)
    for _ in 0..<8 {
      let client = try gateway.connect()
      client.send(WebSocketPeer.request())
      let refusal = client.readAll()
      #expect(refusal.hasPrefix("HTTP/1.1 502 ") && refusal.contains("Proxy-Status: postern; error=http_upgrade_failed\r\n"))
    }
    let client = try gateway.connectHTTP2()
    client.readUntil { $0.settings[8] == 1 }
    #expect(client.response(client.request(connect, endsStream: false))?.status == "502")
    #expect(client.response(client.get("/plain"))?.body == ":path: /plain")
    #expect(gateway.server(upstream.address) { $0.failureCount } == 0)
    #expect(upstream.connectionCount == 1)
  }

  @Test("RFC 8441 §5: what a server answers in place of a WebSocket passes as the answer it is", arguments: ["403", "302", "500"])
  func refused(status: String) throws {
    let upstream = try ScriptedUpstream(http2: [(8, 1)]) { connection, _ in
      for stream in stride(from: UInt32(1), through: 3, by: 2) {
        guard connection.readUntil({ $0.responses[stream]?.pseudo.isEmpty == false }) else { return }
        connection.respond(stream, status, [("content-length", "2")], "no")
      }
      connection.readAll()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address, streams: .webSocket)
    let plain = try gateway.connect()
    plain.send(WebSocketPeer.request())
    let answer = plain.readAll()
    #expect(answer.hasPrefix("HTTP/1.1 \(status) ") && answer.hasSuffix("\r\n\r\nno"))
    let client = try gateway.connectHTTP2()
    client.readUntil { $0.settings[8] == 1 }
    #expect(client.response(client.request(connect, endsStream: false))?.status == status)
    #expect(gateway.counters.webSockets == 0)
  }

  @Test("RFC 9113 §8.6: a 101 of HTTP/2 switches to nothing")
  func switching() throws {
    let upstream = try Self.echo([(":status", "101")])
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address, streams: .webSocket)
    #expect(try gateway.exchange(WebSocketPeer.request()).hasPrefix("HTTP/1.1 502 "))
  }

  @Test("A WebSocket whose client is gone is reset at its server, one that its server resets ends abruptly for its client")
  func ends() throws {
    let (ended, begun) = (Semaphore(), Semaphore())
    let upstream = try ScriptedUpstream(http2: [(8, 1)]) { connection, _ in
      guard connection.readUntil({ $0.responses[1]?.pseudo.isEmpty == false }) else { return }
      connection.write(.headers(1, [(":status", "200")], endsStream: false))
      connection.readUntil { $0.responses[1]?.error != nil }
      ended.signal()
      guard connection.readUntil({ $0.responses[3]?.pseudo.isEmpty == false }) else { return }
      connection.write(.headers(3, [(":status", "200")], endsStream: false))
      begun.wait()
      connection.write(.reset(3))
      connection.readAll()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address, streams: .webSocket)
    let gone = try gateway.connect()
    gone.send(WebSocketPeer.request())
    #expect(gone.readHead()?.hasPrefix("HTTP/1.1 101 ") == true)
    gone.reset()
    ended.wait()
    let cut = try gateway.connect()
    cut.send(WebSocketPeer.request())
    #expect(cut.readHead()?.hasPrefix("HTTP/1.1 101 ") == true)
    begun.signal()
    #expect(cut.endsWithReset())
    #expect(upstream.connectionCount == 1)
  }

  @Test("A server that chooses HTTP/2 over TLS gets the WebSocket as HTTP/2 has it")
  func negotiated() throws {
    let upstream = try ScriptedUpstream(certificate: TestCertificates.shared.server) { secure, number in
      guard secure.session.applicationProtocol == .http2, secure.read(24) == HTTP2Frame.preface else { return }
      let connection = HTTP2Connection(secure, opensWith: nil)
      connection.write(.settings([(8, 1)]))
      Self.script()(connection, number)
    }
    defer { upstream.stop() }
    let origin = try Origin("https://localhost:\(upstream.address.port)")
    var declared = Upstream(name: "up", servers: [origin])
    declared.applicationProtocol = .negotiated
    let snapshot = GatewaySnapshot(
      routes: try RouteTable([.everything(streams: .webSocket)]), upstreams: [declared], addresses: [origin: [upstream.address]],
      tls: ["up": try TLSClientContext(authorities: TestCertificates.shared.authority.certificate)])
    let gateway = try Gateway.open(upstream.address)
    gateway.onEngine { $0.apply(snapshot) }
    let client = try gateway.connect()
    client.send(WebSocketPeer.request())
    #expect(client.readHead()?.contains(":protocol: websocket; :scheme: https; ") == true)
    client.send("hello")
    #expect(client.read(5) == Array("hello".utf8))
  }
}
