import EventLoop
import Glibc
import HTTPWire
import NetworkAddress
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Answers with as many bytes as a large page has.
private struct Page: Endpoint {
  static let byteCount = 32 << 10

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(status: 200, body: [UInt8](repeating: 7, count: Page.byteCount))
  }
}

/// What one client may take from the others.
@Suite(.serialized) struct FairnessTests {
  // More answers than all socket buffers hold: those grow to some megabytes at most.
  @Test(
    "a client that sends requests and takes no answers is not listened to until it does",
    arguments: [("/account", 1 << 10), ("/none", 64 << 10)])
  func unreadPipelining(_ path: String, _ requests: Int) throws {
    var endpoints = EndpointTable()
    endpoints.add("/account", Page())
    let gateway = try Gateway([], upstreams: [:], endpoints: endpoints)
    let client = try gateway.connect()
    let request = "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
    let taken = Semaphore()
    onThread {
      client.send(String(repeating: request, count: requests))
      client.endSending()
      taken.signal()
    }
    waitUntil { gateway.onEngine { $0.waitingBytes } > EngineLimits().highWatermark }
    // Turns enough to take everything, were it taken.
    var most = 0
    for _ in 0..<2_000 { most = max(most, gateway.onEngine { $0.waitingBytes }) }
    #expect(most <= EngineLimits().highWatermark + Page.byteCount + (128 << 10))
    var answers = 0
    while answers < requests, client.readMessage() != nil { answers += 1 }
    #expect(answers == requests)
    taken.wait()
  }

  @Test("RFC 9110 §15.5.9: a body slower than the minimum rate is answered 408, wherever it goes", arguments: ["/account", "/up"])
  func drippedBody(_ path: String) throws {
    let upstream = try ScriptedUpstream { connection, _ in _ = connection.readAll() }
    defer { upstream.stop() }
    var endpoints = EndpointTable()
    endpoints.add("/account", Page())
    var limits = EngineLimits()
    limits.request.idleTimeout = .milliseconds(200)
    limits.request.minimumBodyRate = 1 << 20
    let route = Route(name: "up", pattern: try PathPattern("/up"), access: .anonymous, upstream: "up")
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]], endpoints: endpoints, limits: limits)
    let client = try gateway.connect()
    client.send("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
    onThread {
      for _ in 0..<500 where client.send("x") { usleep(5_000) }
      client.endSending()
    }
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 408 ") == true)
    #expect(gateway.counters.upstreamErrors == 0)
  }

  @Test("the pace of a body is that of every stretch of time, not of its best", arguments: [
    ([(100, 100_000)], true), ([(100, 99_999)], false), ([(99, 1)], true), ([(99, 1), (200, 200_000)], true),
    ([(100, 1_000_000), (200, 1)], false), ([(100, 1_000_000), (150, 1), (199, 1)], true), ([(400, 399_999)], false),
  ] as [([(milliseconds: Int64, bytes: Int)], Bool)])
  func pace(_ steps: [(milliseconds: Int64, bytes: Int)], _ isFastEnough: Bool) {
    var pace = BodyPace(bytesPerSecond: 1_000_000, stretch: .milliseconds(100))
    pace.begin(at: 0)
    var holds = true
    for step in steps where !pace.note(step.bytes, at: step.milliseconds * 1_000_000) { holds = false }
    #expect(holds == isFastEnough)
  }

  @Test("a response that its client does not take is broken off, and its upstream let go", arguments: [0, 1])
  func untakenResponse(_ step: Int) throws {
    let gone = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
      while connection.send([UInt8](repeating: 7, count: 1 << 20)) {}
      gone.signal()
    }
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.request.idleTimeout = .milliseconds(500)
    let gateway = try Gateway.open(upstream.address, limits: limits)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    waitUntil {
      if step > 0 { _ = client.receive(step) }
      return gateway.counters.clientConnections == 0 && gateway.counters.proxiedRequests == 1
    }
    gone.wait()
  }

  @Test("connections beyond the limit wait until one ends")
  func connectionLimit() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.request.connectionsMax = 2
    let gateway = try Gateway.open(upstream.address, limits: limits)
    let clients = try (0..<3).map { _ in try gateway.connect() }
    for client in clients { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
    for client in clients.prefix(2) { #expect(client.readMessage()?.body == "ok") }
    #expect(gateway.counters.clientConnections == 2)
    #expect(gateway.counters.proxiedRequests == 2)
    clients[0].close()
    #expect(clients[2].readMessage()?.body == "ok")
  }

  @Test("one source cannot take the connections of all others; a trusted proxy stands for many")
  func connectionsPerSource() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.request.connectionsPerSourceMax = 2
    for proxies in [[], [AddressBlock("127.0.0.1")!]] {
      let gateway = try Gateway([.everything()], upstreams: ["up": [upstream.address]], limits: limits, trustedProxies: proxies)
      func answers(_ client: RawConnection) -> Bool {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.readMessage()?.body == "ok"
      }
      let first = try gateway.connect()
      let second = try gateway.connect()
      #expect(answers(first) && answers(second))
      #expect(answers(try gateway.connect()) == !proxies.isEmpty)
      first.close()
      waitUntil { gateway.counters.clientConnections == 1 }
      #expect(answers(try gateway.connect()))
    }
  }
}
