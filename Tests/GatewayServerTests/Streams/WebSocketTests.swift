import EventLoop
import Glibc
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite(.serialized) struct WebSocketTests {
  private static func gateway(
    _ upstream: ScriptedUpstream, limits: EngineLimits = EngineLimits(), timeouts: Upstream.Timeouts = .init(),
    body: Int? = nil, accessLog: AccessLog.Sink? = nil
  ) throws -> Gateway {
    try Gateway(
      [.everything(limits: RouteLimits(bodyBytesMax: body), streams: .webSocket)], upstreams: ["up": [upstream.address]],
      limits: limits, timeouts: timeouts, accessLog: accessLog)
  }

  /// Switches, then sends everything back.
  private static func echo() throws -> ScriptedUpstream {
    try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(WebSocketPeer.switching)
      while let bytes = connection.receive() { connection.send(bytes) }
    }
  }

  @Test("RFC 6455 §4.1, §4.2.2: the handshake passes with Postern's own hop fields, then bytes pass both ways")
  func tunnel() throws {
    let upstream = try Self.echo()
    defer { upstream.stop() }
    let log = Mutex<[UInt8]>([])
    let gateway = try Self.gateway(upstream, body: 10) { lines in log.withLock { $0 += lines } }
    let client = try gateway.connect()
    client.send(WebSocketPeer.request("Sec-WebSocket-Protocol: chat\r\nAuthorization: Bearer mine\r\n"))
    let head = try #require(client.readHead())
    #expect(head == "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: \(WebSocketPeer.accept)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    let sent = try #require(upstream.received.first)
    for line in ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(WebSocketPeer.key)", "Sec-WebSocket-Protocol: chat"] {
      #expect(sent.components(of: "\r\n\(line)\r\n") == 1, "\(line)")
    }
    #expect(!sent.contains("mine"))
    // Beyond the route's limit for bodies, which a WebSocket is none of.
    for number in 0..<50 {
      let frame = WebSocketPeer.text("message \(number)")
      client.send(frame)
      #expect(client.read(frame.count) == frame)
    }
    #expect(gateway.counters.webSockets == 1)
    client.close()
    waitUntil { gateway.counters.clientConnections == 0 }
    waitUntil { log.withLock { !$0.isEmpty } }
    let line = String(decoding: log.withLock { $0 }, as: UTF8.self)
    #expect(line.contains("\"status\":101,"))
    #expect(line.contains("\"request_bytes\":"))
    #expect(line.components(of: "\n") == 1)
  }

  @Test("what the client sends ahead waits for the 101, and is the tunnel's")
  func sentAhead() throws {
    let upstream = try Self.echo()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connect()
    let smuggled = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    client.send(WebSocketPeer.request() + smuggled)
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 101 ") == true)
    #expect(client.read(smuggled.utf8.count) == Array(smuggled.utf8))
    #expect(gateway.counters.proxiedRequests == 1)
  }

  @Test("an answer other than 101 passes, and what came behind the request is never read as another", arguments: [
    ok, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
  ])
  func refusedByUpstream(answer: String) throws {
    let upstream = try ScriptedUpstream(answering: answer)
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let received = try gateway.exchange(WebSocketPeer.request() + "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(received.hasPrefix(String(answer.prefix(12))))
    #expect(received.contains("Connection: close\r\n"))
    #expect(!received.contains("Upgrade: "))
    #expect(received.components(of: "HTTP/1.1 ") == 1)
    #expect(!upstream.received.joined().contains("evil"))
  }

  @Test("a handshake that Postern refuses itself ends the connection: what came behind it is never a request")
  func refusedByPolicy() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway(
      [.everything(access: AccessPolicy(requiredScopes: ["read"]), streams: .webSocket)], upstreams: ["up": [upstream.address]])
    gateway.verifier.add("t")
    let received = try gateway.exchange(
      WebSocketPeer.request() + "GET /evil HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n")
    #expect(received.hasPrefix("HTTP/1.1 401 "))
    #expect(received.components(of: "HTTP/1.1 ") == 1)
    #expect(upstream.received.isEmpty)
  }

  @Test("RFC 9110 §7.8: where no WebSocket may begin, Upgrade is not forwarded and the request is an ordinary one", arguments: [
    ("plain", WebSocketPeer.request()),
    ("all", WebSocketPeer.request().replacing("websocket\r\n", with: "h2c\r\n")),
    ("all", WebSocketPeer.request().replacing("Version: 13", with: "Version: 8")),
    ("all", WebSocketPeer.request("Content-Length: 2\r\n") + "hi"),
    ("all", WebSocketPeer.request().replacing("GET", with: "POST")),
  ])
  func ignored(route: String, request: String) throws {
    let upstream = try ScriptedUpstream { connection, _ in
      while let message = connection.readMessage() {
        // Whoever switches all the same is not believed.
        connection.send(message.head.contains("Upgrade") ? WebSocketPeer.switching : ok)
      }
    }
    defer { upstream.stop() }
    let gateway = route == "plain" ? try Gateway.open(upstream.address) : try Self.gateway(upstream)
    let client = try gateway.connect()
    client.send(request)
    #expect(client.readMessage()?.body == "ok")
    #expect(!upstream.received.joined().lowercased().contains("upgrade"))
  }

  @Test("RFC 6455 §4.1: a 101 that nobody asked for, or that answers another key, is 502, and its connection is closed", arguments: [
    (WebSocketPeer.request(), WebSocketPeer.switching.replacing("s3p", with: "S3p")),
    (WebSocketPeer.request(), WebSocketPeer.switching.replacing("Upgrade: websocket", with: "Upgrade: h2c")),
    (WebSocketPeer.request(), WebSocketPeer.switching.replacing("Connection: Upgrade\r\n", with: "")),
    (WebSocketPeer.request(), WebSocketPeer.switching.replacing("\r\n\r\n", with: "\r\nTransfer-Encoding: chunked\r\n\r\n")),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", WebSocketPeer.switching),
  ])
  func badSwitch(request: String, answer: String) throws {
    let ended = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(answer + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
      while connection.receive() != nil {}
      ended.signal()
    }
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connect()
    client.send(request)
    let message = client.readMessage()
    #expect(message?.head.hasPrefix("HTTP/1.1 502 ") == true)
    #expect(message?.head.contains("error=http_protocol_error") == true)
    ended.wait()
  }

  @Test("either side's end is passed on after everything it sent")
  func ends() throws {
    let upstream = try ScriptedUpstream { connection, number in
      guard connection.readHead() != nil else { return }
      connection.send(WebSocketPeer.switching)
      if number == 0 {
        // The client ends first: its end is seen, and what is said after it still arrives.
        while connection.receive() != nil {}
        connection.send(WebSocketPeer.text("last"))
      } else {
        connection.send(WebSocketPeer.text("last") + WebSocketPeer.closing(1000))
      }
    }
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    for number in 0..<2 {
      let client = try gateway.connect()
      client.send(WebSocketPeer.request())
      #expect(client.readHead() != nil)
      if number == 0 { client.endSending() }
      #expect(client.readFrame()?.payload == Array("last".utf8))
      if number == 1 { #expect(client.readClose() == 1000) }
      #expect(!client.endsWithReset())
    }
    waitUntil { gateway.counters.clientConnections == 0 }
  }

  @Test("a client that is reset takes its upstream connection with it, and an upstream its client")
  func resets() throws {
    let ended = Semaphore()
    let upstream = try ScriptedUpstream { connection, number in
      guard connection.readHead() != nil else { return }
      connection.send(WebSocketPeer.switching)
      guard number == 0 else { return connection.reset() }
      while connection.receive() != nil {}
      ended.signal()
    }
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let first = try gateway.connect()
    first.send(WebSocketPeer.request())
    #expect(first.readHead() != nil)
    first.reset()
    ended.wait()
    let second = try gateway.connect()
    second.send(WebSocketPeer.request())
    #expect(second.readHead() != nil)
    #expect(second.endsWithReset())
    waitUntil { gateway.counters.clientConnections == 0 }
  }

  @Test("a flood of frames is held to the watermark while its reader sleeps, in both directions", arguments: [true, false])
  func backPressure(fromClient: Bool) throws {
    let mayRead = Semaphore()
    let total = 16 << 20
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(WebSocketPeer.switching)
      if fromClient {
        mayRead.wait()
        var count = 0
        while count < total, let bytes = connection.receive() { count += bytes.count }
        connection.send([UInt8](repeating: 7, count: count == total ? 1 : 2))
      } else {
        connection.send([UInt8](repeating: 7, count: total))
      }
    }
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connect()
    client.send(WebSocketPeer.request())
    #expect(client.readHead() != nil)
    let sent = Semaphore()
    if fromClient {
      onThread {
        client.send([UInt8](repeating: 7, count: total))
        sent.signal()
      }
    }
    // Both kernels' buffers are full when nothing moves any more.
    var waiting = -1
    waitUntil {
      let before = waiting
      waiting = gateway.onEngine { $0.waitingBytes }
      return waiting > 0 && waiting == before
    }
    let limits = EngineLimits()
    #expect(waiting <= limits.highWatermark + 2 * limits.receptionBytes, "\(waiting)")
    mayRead.signal()
    if fromClient {
      sent.wait()
      #expect(client.read(1) == [7])
    } else {
      var count = client.pending.count
      while count < total, let bytes = client.receive() { count += bytes.count }
      #expect(count == total)
    }
  }

  @Test("a WebSocket in which nothing moves for the upstream's idle time-out is told so and ended; a byte keeps it open")
  func idle() throws {
    let upstream = try Self.echo()
    defer { upstream.stop() }
    var timeouts = Upstream.Timeouts()
    timeouts.idle = .milliseconds(1100)
    let gateway = try Self.gateway(upstream, timeouts: timeouts)
    let client = try gateway.connect()
    client.send(WebSocketPeer.request())
    #expect(client.readHead() != nil)
    for _ in 0..<2 {
      usleep(600_000)
      client.send(WebSocketPeer.text("x"))
      #expect(client.readFrame() != nil)
    }
    #expect(client.readClose() == 1001)
    #expect(!client.endsWithReset())
  }

  @Test("RFC 6455 §7.4.1: on shutdown WebSockets have until the deadline, then they are told 1001")
  func shutdown() throws {
    let upstream = try Self.echo()
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.lingerTimeout = .milliseconds(200)
    let gateway = try Self.gateway(upstream, limits: limits)
    let client = try gateway.connect()
    client.send(WebSocketPeer.request())
    #expect(client.readHead() != nil)
    let drained = Semaphore()
    gateway.onEngine { $0.drain(within: .milliseconds(700)) { drained.signal() } }
    client.send(WebSocketPeer.text("still here"))
    #expect(client.readFrame()?.payload == Array("still here".utf8))
    #expect(client.readClose() == 1001)
    #expect(!client.endsWithReset())
    drained.wait()
  }
}
