import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let calm = HTTP2ErrorCode.enhanceYourCalm.rawValue
private let get: [(String, String)] = [(":method", "GET"), (":scheme", "http"), (":authority", "gw.example"), (":path", "/")]

@Suite(.serialized) struct HTTP2FloodTests {
  private func limits(streams: Int = 128, resets: Int = 500, controlFrames: Int = 10_000) -> EngineLimits {
    var limits = EngineLimits()
    limits.request.http2StreamsMax = streams
    limits.request.http2ResetsMax = resets
    limits.request.http2ControlFramesMax = controlFrames
    return limits
  }

  @Test("CVE-2023-44487: who begins and resets streams without end is cut off, however few are open at once")
  func rapidReset() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address, limits: limits(resets: 20))
    let client = try gateway.connectHTTP2()
    for _ in 0..<100 {
      let stream = client.newStream()
      client.write(.headers(stream, get), .reset(stream))
    }
    client.readAll()
    #expect(client.goAway?.error == calm)
    waitUntil { gateway.counters.clientConnections == 0 }
    #expect(gateway.counters.proxiedRequests <= 21)
  }

  @Test("CVE-2025-8671: resets that the server is made to send count like the client's own")
  func madeResets() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address, limits: limits(resets: 20))
    let client = try gateway.connectHTTP2()
    for _ in 0..<100 { _ = client.request(get + [("connection", "close")]) }
    client.readAll()
    #expect(client.goAway?.error == calm)
    #expect(upstream.connectionCount == 0)
  }

  @Test("CVE-2019-9512, 9515, 9518: PING, SETTINGS and empty frames without end", arguments: [
    HTTP2Frame(.ping, Array(repeating: 0, count: 8)), HTTP2Frame.settings(), HTTP2Frame(.priority, stream: 1, [0, 0, 0, 0, 1]),
    HTTP2Frame.data(1, ""), HTTP2Frame.data(1, "x"), HTTP2Frame.reset(1),
  ])
  func controlFrames(frame: HTTP2Frame) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address, limits: limits(controlFrames: 50))
    let client = try gateway.connectHTTP2()
    client.write(.headers(1, [(":method", "POST")] + get.dropFirst(), endsStream: false))
    client.write(Array(repeating: frame, count: 200))
    client.readAll()
    #expect(client.goAway?.error == calm)
    #expect(client.pings <= 51)
  }

  @Test("CVE-2024-28182: a field block that never ends is cut off, as an empty one and as one full of fields")
  func continuations() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    for payload in [[], HTTP2Frame.literal(Array("a".utf8), Array(repeating: 0x62, count: 10_000))] {
      let client = try gateway.connectHTTP2()
      client.write(HTTP2Frame(.headers, flags: HTTP2Frame.endStream, stream: 1, []))
      client.write(Array(repeating: HTTP2Frame(.continuation, stream: 1, payload), count: 100))
      client.readAll()
      #expect(client.goAway?.error == calm)
    }
    #expect(upstream.connectionCount == 0)
  }

  @Test("RFC 9113 §5.1.2: streams beyond the announced number are refused, and may be tried again")
  func concurrentStreams() throws {
    let gate = Semaphore()
    let upstream = try ScriptedUpstream(answering: ok, behind: gate)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address, limits: limits(streams: 2))
    let client = try gateway.connectHTTP2()
    let streams = (0..<3).map { _ in client.get("/") }
    #expect(client.response(streams[2])?.error == HTTP2ErrorCode.refusedStream.rawValue)
    #expect(client.settings[3] == 2)
    gate.signal()
    gate.signal()
    #expect(client.response(streams[0])?.body == "ok")
    #expect(client.response(streams[1])?.body == "ok")
    gate.signal()
    #expect(client.response(client.get("/"))?.body == "ok")
  }

  @Test("Streams count as connections of their source: beyond its share they are refused")
  func shareOfSource() throws {
    let gate = Semaphore()
    let upstream = try ScriptedUpstream(answering: ok, behind: gate)
    defer { upstream.stop() }
    var limits = limits()
    limits.request.connectionsPerSourceMax = 3
    let gateway = try Gateway.open(upstream.address, limits: limits)
    let client = try gateway.connectHTTP2()
    let streams = (0..<3).map { _ in client.get("/") }
    #expect(client.response(streams[2])?.error == HTTP2ErrorCode.refusedStream.rawValue)
    #expect(gateway.counters.clientConnections == 1)
    gate.signal()
    gate.signal()
    #expect(client.response(streams[1])?.body == "ok")
  }

  @Test("A client that begins no request, or half a field block, is sent away")
  func silence() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    var limits = limits()
    limits.request.idleTimeout = .milliseconds(1)
    let gateway = try Gateway.open(upstream.address, limits: limits)
    let idle = try gateway.connectHTTP2()
    let half = try gateway.connectHTTP2()
    half.readUntil { !$0.settings.isEmpty }
    half.write(HTTP2Frame(.headers, flags: HTTP2Frame.endStream, stream: 1, []))
    idle.readAll()
    half.readAll()
    #expect(idle.goAway?.error == 0 && half.goAway?.error == 0)
    limits.request.idleTimeout = .seconds(75)
    limits.request.headerTimeout = .milliseconds(1)
    let strict = try Gateway.open(upstream.address, limits: limits)
    let slow = try strict.connectHTTP2()
    slow.readUntil { !$0.settings.isEmpty }
    slow.write(HTTP2Frame(.headers, flags: HTTP2Frame.endStream, stream: 1, []))
    slow.readAll()
    #expect(slow.goAway?.error == 0)
  }

  @Test("An answer that the client takes in no window is given up in time, and its memory with it")
  func closedWindow() throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: 1000))
    defer { upstream.stop() }
    var limits = limits()
    limits.request.idleTimeout = .milliseconds(1500)
    let gateway = try Gateway.open(upstream.address, limits: limits)
    let client = try gateway.connectHTTP2(opensWith: [(4, 10)])
    client.takesContent = false
    #expect(client.response(client.get("/"))?.error == HTTP2ErrorCode.cancel.rawValue)
    #expect(client.responses[1]?.body == String(repeating: "x", count: 10))
    waitUntil { gateway.onEngine { $0.waitingBytes } == 0 }
  }
}
