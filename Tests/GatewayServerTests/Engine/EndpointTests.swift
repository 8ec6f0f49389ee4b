import EventLoop
import Glibc
import HTTPWire
import ReverseProxy
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

  @Test("the access log has the path without its query, and never a token")
  func accessLog() throws {
    var descriptors: [Int32] = [0, 0]
    #expect(pipe(&descriptors) == 0)
    var endpoints = EndpointTable()
    endpoints.add("/account", servesBelow: true, Echo())
    do {
      let gateway = try Gateway([], upstreams: [:], endpoints: endpoints, accessLog: descriptors[1])
      _ = try gateway.exchange("GET /account/a?code=secret HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\nConnection: close\r\n\r\n")
      let drained = Semaphore()
      gateway.onEngine { $0.drain(within: .seconds(1)) { drained.signal() } }
      drained.wait()
    }
    close(descriptors[1])
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptors[0], &buffer, buffer.count)
    close(descriptors[0])
    let line = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    #expect(line.contains("\"method\":\"GET\",\"path\":\"/account/a\",\"status\":200,"))
    #expect(!line.contains("secret") && line.hasSuffix("}\n"))
  }
}
