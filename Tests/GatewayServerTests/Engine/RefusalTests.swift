import EventLoop
import Glibc
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Bytes of a client that try to be read as two different messages.
private let smuggling: [String] = [
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 38\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nX: y\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z: w\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\nHost: a\n\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
]

private let badResponses: [String] = [
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
  "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
  "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "+OK mail server ready\r\n",
  "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
]

@Suite(.serialized) struct RefusalTests {
  @Test("RFC 9112 §11.2: a request that could be read as two is refused, and nothing after it is served", arguments: smuggling)
  func smuggledRequest(_ text: String) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let answer = try gateway.exchange(text)
    #expect(answer.hasPrefix("HTTP/1.1 400 "))
    #expect(answer.contains("Connection: close\r\n"))
    #expect(answer.components(of: "HTTP/1.1 ") == 1)
    #expect(!upstream.received.joined().contains("evil"))
  }

  @Test("RFC 9112 §6.3: a bad response is answered 502, and its connection is never used again", arguments: badResponses)
  func badResponse(_ text: String) throws {
    let upstream = try ScriptedUpstream { connection, number in
      guard connection.readHead() != nil else { return }
      connection.send(number == 0 ? text : ok)
      _ = connection.readHead()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let message = client.readMessage()
    #expect(message?.head.hasPrefix("HTTP/1.1 502 ") == true)
    #expect(message?.head.contains("Proxy-Status: postern; error=http_protocol_error\r\n") == true)
    #expect(message?.head.contains("X-Request-Id: ") == true)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readMessage()?.body == "ok")
    #expect(upstream.connectionCount == 2)
  }

  @Test("a chunked request body that turns bad is cut off, not completed, towards the upstream")
  func badChunk() throws {
    let ended = ResultBox<Bool>()
    let started = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      started.signal()
      let rest = connection.readAll()
      ended.set(rest.contains("0\r\n\r\n"))
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    started.wait()
    client.send("x\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readAll().hasPrefix("HTTP/1.1 400 "))
    #expect(ended.wait() == false)
  }

  @Test("an upstream that breaks off within the body is shown to the client as a broken connection, never as an end", arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
  ])
  func truncation(_ text: String) throws {
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(text)
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.endsWithReset())
    #expect(gateway.counters.truncatedResponses == 1)
  }

  @Test("a chunked response that turns bad after its head was forwarded is cut off, not completed, towards the client")
  func badResponseChunk() throws {
    let forwarded = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
      forwarded.wait()
      connection.send("x\r\n0\r\n\r\n")
      _ = connection.readHead()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead() != nil)
    forwarded.signal()
    #expect(client.endsWithReset())
    #expect(gateway.counters.truncatedResponses == 1)
  }

  @Test("a body until close that ends with a reset is not passed off as complete")
  func resetUntilClose() throws {
    let forwarded = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\n\r\nhalf")
      forwarded.wait()
      connection.reset()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.undated == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    forwarded.signal()
    #expect(client.endsWithReset())
  }

  @Test("RFC 9209 §2.3: what fails on the way to the upstream is named, with the request's id")
  func upstreamErrors() throws {
    let closed = try ScriptedUpstream { connection, _ in _ = connection.readHead() }
    let refusing = closed.address
    let gateway = try Gateway.open(refusing)
    let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 502 "))
    #expect(answer.contains("Proxy-Status: postern; error=connection_terminated\r\n"))
    closed.stop()
    let refused = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(refused.hasPrefix("HTTP/1.1 502 "))
    #expect(refused.contains("Proxy-Status: postern; error=connection_refused\r\n"))
  }

  @Test("RFC 9110 §15.6.5: an upstream that does not answer in time is answered 504")
  func timeout() throws {
    let upstream = try ScriptedUpstream { connection, _ in _ = connection.readAll() }
    defer { upstream.stop() }
    var timeouts = Upstream.Timeouts()
    timeouts.responseHead = .milliseconds(1)
    let gateway = try Gateway.open(upstream.address, timeouts: timeouts)
    let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 504 "))
    #expect(answer.contains("Proxy-Status: postern; error=http_response_timeout\r\n"))
  }

  @Test("RFC 9209 §2.3.9: an upstream that does not take the connection in time is answered 504")
  func connectTimeout() throws {
    // A queue of one that nobody takes from: once it is full, the kernel leaves connection attempts unanswered.
    let listener = try Socket.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!, backlog: 0)
    defer { close(listener) }
    let address = try #require(Socket.localAddress(listener))
    let queued = try (0..<4).map { _ in try Socket.connect(to: address).descriptor }
    defer { for descriptor in queued { close(descriptor) } }
    var timeouts = Upstream.Timeouts()
    timeouts.connect = .milliseconds(1)
    let answer = try Gateway.open(address, timeouts: timeouts).exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 504 "))
    #expect(answer.contains("Proxy-Status: postern; error=connection_timeout\r\n"))
  }

  @Test("RFC 9110 §15.5.9: a head that does not arrive in time is answered 408, a silent connection is closed")
  func headerTimeout() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.request.headerTimeout = .milliseconds(1)
    let gateway = try Gateway.open(upstream.address, limits: limits)
    #expect(try gateway.exchange("GET / HTTP/1.1\r\nHos").hasPrefix("HTTP/1.1 408 "))
    #expect(try gateway.connect().readAll() == "")
  }

  @Test("RFC 9110 §15.5: what no route takes is answered without an upstream")
  func routing() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let route = Route(name: "r", pattern: try PathPattern("/a/**"), methods: [.get], access: .anonymous, upstream: "up")
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]])
    for (request, status) in [
      ("GET /b", 404), ("POST /a/x", 405), ("GET /a/../b", 400), ("GET /a/%2e%2e/b", 400), ("GET /a//b", 400),
      ("GET /a/%2f", 400), ("GET /a/%00", 400), ("GET /a/%zz", 400), ("GET /a\\b", 400), ("TRACE /a/b", 405),
      ("GET /oauth/token", 404), ("OPTIONS *", 400),
    ] {
      let answer = try gateway.exchange("\(request) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(request): \(answer.prefix(40))")
    }
    #expect(upstream.connectionCount == 0)
  }

  @Test("RFC 9110 §15.5.14: a body over the route's limit is refused, before it is read when its length is declared")
  func bodyLimit() throws {
    let upstream = try ScriptedUpstream { connection, _ in _ = connection.readAll() }
    defer { upstream.stop() }
    let gateway = try Gateway(
      [.everything(limits: RouteLimits(bodyBytesMax: 10))], upstreams: ["up": [upstream.address]])
    #expect(try gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
    #expect(upstream.connectionCount == 0)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    client.send("5\r\nhello\r\n")
    #expect(client.readAll().hasPrefix("HTTP/1.1 413 "))
  }

  @Test("a client that goes away takes its upstream request with it")
  func clientGone() throws {
    let gone = Semaphore()
    let started = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      started.signal()
      _ = connection.readAll()
      gone.signal()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
    started.wait()
    client.reset()
    gone.wait()
    #expect(gateway.counters.clientConnections == 0)
  }

  @Test("a client that is gone for good while its response is awaited takes its upstream request with it")
  func clientGoneWhileAwaiting() throws {
    let gone = Semaphore()
    let started = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      started.signal()
      _ = connection.readAll()
      gone.signal()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    started.wait()
    // First its own side only, which is no reason to give up.
    client.endSending()
    #expect(gateway.counters.clientConnections == 1)
    client.reset()
    gone.wait()
    #expect(gateway.counters.clientConnections == 0)
  }

  @Test("draining lets the request under way end, says close, and takes no further connection")
  func draining() throws {
    let go = Semaphore()
    let started = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      while connection.readHead() != nil {
        started.signal()
        go.wait()
        connection.send(ok)
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let idle = try gateway.connect()
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    started.wait()
    let drained = Semaphore()
    gateway.onEngine { $0.drain(within: .seconds(30)) { drained.signal() } }
    #expect(idle.readAll() == "")
    go.signal()
    #expect(client.readAll().undated == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    client.close()
    drained.wait()
    let late = try gateway.connect()
    late.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(late.readAll() == "")
  }
}
