import EventLoop
import Glibc
import HTTPWire
import NetworkAddress
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

/// Tells what it was asked.
private struct Echo: Endpoint {
  func respond(to request: HTTPRequest) async -> HTTPResponse {
    let loop = EventLoop.current
    await loop?.sleep(for: .milliseconds(1))
    precondition(EventLoop.current === loop, "an endpoint stays on its loop")
    let text = "\(request.method) \(request.path) \(request.query ?? "-") \(String(decoding: request.body, as: UTF8.self)) \(request.fields["X-A"] ?? "-") \(request.remoteAddress)"
    return HTTPResponse(status: request.path == "/oauth/none" ? 204 : 200, fields: ["X-B": "1"], body: Array(text.utf8))
  }
}

@Suite(.serialized) struct EndpointTests {
  private func gateway() throws -> Gateway {
    var endpoints = EndpointTable()
    endpoints.add("/oauth/token", bodyBytesMax: 20, Echo())
    endpoints.add("/oauth/none", Echo())
    endpoints.add("/account", servesBelow: true, Echo())
    return try Gateway([], upstreams: [:], endpoints: endpoints)
  }

  @Test("an endpoint gets the whole request, and its response the fields that framing needs")
  func roundTrip() throws {
    let client = try gateway().connect()
    client.send("POST /oauth/token?q=1 HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello")
    let message = client.readMessage()
    #expect(message?.body == "POST /oauth/token q=1 hello b 127.0.0.1")
    let lines = try #require(message).head.split(separator: "\r\n").map(String.init)
    try #require(lines.count > 2)
    #expect(lines[0] == "HTTP/1.1 200 OK")
    #expect(lines[1].wholeMatch(of: /Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/) != nil)
    #expect(lines[2...] == ["X-B: 1", "Content-Length: 39"])
    client.send("POST /oauth/token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    #expect(client.readMessage()?.body == "POST /oauth/token - abcde - 127.0.0.1")
  }

  @Test("pipelined requests to endpoints are answered in their order")
  func order() throws {
    let client = try gateway().connect()
    client.send((0..<50).map { "GET /account/\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
    for number in 0..<50 { #expect(client.readMessage()?.body.hasPrefix("GET /account/\(number) ") == true) }
  }

  @Test("RFC 9110 §8.6, §9.3.2: responses to HEAD and 204 have no body")
  func bodiless() throws {
    let client = try gateway().connect()
    client.send("HEAD /oauth/token HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.contains("Content-Length: ") == true)
    client.send("GET /oauth/none HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.contains("Content-Length") == false)
    client.send("GET /account HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(client.readAll().hasSuffix("GET /account -  - 127.0.0.1"))
  }

  @Test("RFC 9110 §15.5.14: a body over the endpoint's limit is refused, declared or not", arguments: [
    "Content-Length: 21\r\n\r\n", "Content-Length: 21\r\n\r\n012345678901234567890",
    "Transfer-Encoding: chunked\r\n\r\n15\r\n012345678901234567890\r\n0\r\n\r\n",
  ])
  func bodyLimit(_ rest: String) throws {
    let answer = try gateway().exchange("POST /oauth/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(rest)")
    #expect(answer.hasPrefix("HTTP/1.1 413 ") && answer.contains("Connection: close\r\n"))
  }

  @Test("RFC 9110 §10.1.1: a client that waits for 100 gets it")
  func expectContinue() throws {
    let client = try gateway().connect()
    client.send("POST /oauth/token HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    #expect(client.readHead() == "HTTP/1.1 100 Continue\r\n\r\n")
    client.send("ab")
    #expect(client.readMessage()?.body.contains(" ab ") == true)
  }

  @Test("the request's name is the one in the log, whatever the caller calls it")
  func requestID() throws {
    struct Named: Endpoint {
      func respond(to request: HTTPRequest) async -> HTTPResponse {
        HTTPResponse(status: 200, body: Array(request.fields.all("X-Request-Id").joined(separator: ",").utf8))
      }
    }
    var endpoints = EndpointTable()
    endpoints.add("/login", Named())
    let client = try Gateway([], upstreams: [:], endpoints: endpoints).connect()
    client.send("GET /login HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n")
    #expect(client.readMessage()?.body.wholeMatch(of: /[0-9a-f]{32}/) != nil)
  }

  @Test("the time in the access log counts what an endpoint does without waiting for anything")
  func duration() throws {
    struct Busy: Endpoint {
      func respond(to request: HTTPRequest) async -> HTTPResponse {
        usleep(2_000)
        return HTTPResponse(status: 200)
      }
    }
    let text = Mutex("")
    var endpoints = EndpointTable()
    endpoints.add("/login", Busy())
    let gateway = try Gateway(
      [], upstreams: [:], endpoints: endpoints,
      accessLog: { lines in text.withLock { $0 += String(decoding: lines, as: UTF8.self) } })
    _ = try gateway.exchange("GET /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    let drained = Semaphore()
    gateway.onEngine { $0.drain(within: .seconds(1)) { drained.signal() } }
    drained.wait()
    let match = text.withLock { $0.firstMatch(of: /"duration_us":(\d+)/).flatMap { Int($0.1) } }
    #expect(try #require(match) >= 2_000)
  }

  @Test("the access log gets whole lines, with the path without its query, and never a token")
  func accessLog() throws {
    let chunks = Mutex<[[UInt8]]>([])
    var endpoints = EndpointTable()
    endpoints.add("/account", servesBelow: true, Echo())
    let gateway = try Gateway(
      [], upstreams: [:], endpoints: endpoints, trustedProxies: [AddressBlock("127.0.0.1")!],
      accessLog: { lines in chunks.withLock { $0.append(lines) } })
    // More lines than are gathered before they are handed over.
    let request = "GET /account/a?code=secret HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\nAuthorization: Bearer secret\r\n"
    let client = try gateway.connect()
    client.send(String(repeating: "\(request)\r\n", count: 999) + request + "Connection: close\r\n\r\n")
    _ = client.readAll()
    let drained = Semaphore()
    gateway.onEngine { $0.drain(within: .seconds(1)) { drained.signal() } }
    drained.wait()
    let texts = chunks.withLock { $0.map { String(decoding: $0, as: UTF8.self) } }
    #expect(texts.count > 1 && texts.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}\n") })
    let lines = texts.joined().split(separator: "\n")
    #expect(lines.count == 1_000)
    #expect(lines.allSatisfy {
      $0.contains("\"client\":\"203.0.113.9\",\"method\":\"GET\",\"path\":\"/account/a\",\"status\":200,") && !$0.contains("secret")
    })
  }
}
