import EventLoop
import Glibc
import HTTPWire
import NetworkAddress
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

private struct WhoAmI: Endpoint {
  func respond(to request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(status: 200, body: Array(request.remoteAddress.utf8))
  }
}

@Suite(.serialized) struct TrustedProxyTests {
  private func gateway(_ upstream: ScriptedUpstream, trusting blocks: [String]) throws -> Gateway {
    var endpoints = EndpointTable()
    endpoints.add("/account", WhoAmI())
    return try Gateway(
      [.everything()], upstreams: ["up": [upstream.address]], endpoints: endpoints,
      trustedProxies: blocks.map { AddressBlock($0)! })
  }

  private func forwardedLines(_ upstream: ScriptedUpstream) -> [String] {
    upstream.received.joined().split(separator: "\r\n").map(String.init)
      .filter { $0.lowercased().hasPrefix("x-forwarded-for") || $0.lowercased().hasPrefix("x-forwarded-proto") }
  }

  @Test("the right-most address that is no trusted proxy's is the client; what it cannot have seen is not believed", arguments: [
    ("X-Forwarded-For: 203.0.113.9", "203.0.113.9"),
    ("X-Forwarded-For: 6.6.6.6, 203.0.113.9", "203.0.113.9"),
    ("X-Forwarded-For: nonsense, 203.0.113.9 , 10.1.1.1,10.2.2.2", "203.0.113.9"),
    ("X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 203.0.113.9\r\nX-Forwarded-For: 10.1.1.1", "203.0.113.9"),
    ("X-Forwarded-For: 203.0.113.9:4711", "203.0.113.9"),
    ("X-Forwarded-For: 2001:DB8::1", "2001:db8::1"), ("X-Forwarded-For: [2001:db8::1]:4711", "2001:db8::1"),
    ("X-Forwarded-For: [2001:db8::1]", "2001:db8::1"), ("X-Forwarded-For: ::ffff:203.0.113.9", "203.0.113.9"),
    // Nothing that could be believed: the peer.
    ("Accept: */*", "127.0.0.1"), ("X-Forwarded-For: 10.1.1.1", "127.0.0.1"), ("X-Forwarded-For: 203.0.113.9, unknown", "127.0.0.1"),
    ("X-Forwarded-For: 203.0.113.9,", "127.0.0.1"), ("X-Forwarded-For: 203.0.113.9, , 10.1.1.1", "127.0.0.1"),
    ("X-Forwarded-For: 203.0.113.9:x", "127.0.0.1"), ("X-Forwarded-For: [203.0.113.9", "127.0.0.1"),
    ("X-Forwarded-For: 203.0.113.9 6.6.6.6", "127.0.0.1"), ("X-Forwarded-For: 1.2.3", "127.0.0.1"),
    ("X_Forwarded_For: 203.0.113.9", "127.0.0.1"), ("X-Real-IP: 203.0.113.9", "127.0.0.1"),
    ("Forwarded: for=203.0.113.9", "127.0.0.1"),
  ])
  func client(_ lines: String, _ address: String) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let answer = try gateway(upstream, trusting: ["127.0.0.0/8", "10.0.0.0/8"])
      .exchange("GET /account HTTP/1.1\r\nHost: a\r\n\(lines)\r\nConnection: close\r\n\r\n")
    #expect(answer.hasSuffix("\r\n\r\n\(address)"))
  }

  @Test("strangers are never believed, whatever they say")
  func stranger() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let client = try gateway(upstream, trusting: ["10.0.0.0/8"]).connect()
    let lines = "Host: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\r\n"
    client.send("GET /account HTTP/1.1\r\n\(lines)GET / HTTP/1.1\r\n\(lines)")
    #expect(client.readMessage()?.body == "127.0.0.1")
    #expect(client.readMessage()?.body == "ok")
    #expect(forwardedLines(upstream) == ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http"])
  }

  @Test("the upstream gets the chain with the proxy at its end, and the scheme that the proxy names", arguments: [
    (["X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-Proto: https"], "6.6.6.6, 203.0.113.9, 127.0.0.1", "https"),
    (["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 127.0.0.2"], "203.0.113.9, 127.0.0.2, 127.0.0.1", "http"),
    (["X-Forwarded-Proto: HTTPS"], "127.0.0.1", "https"), (["X-Forwarded-Proto: gopher"], "127.0.0.1", "http"),
    (["X-Forwarded-Proto: http", "X-Forwarded-Proto: https"], "127.0.0.1", "https"),
    (["X-Forwarded-For: 203.0.113.9, unknown", "X-Forwarded-Proto: https"], "127.0.0.1", "https"),
  ])
  func chain(_ lines: [String], _ chain: String, _ scheme: String) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let client = try gateway(upstream, trusting: ["127.0.0.0/8"]).connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\(lines.joined(separator: "\r\n"))\r\n\r\n")
    #expect(client.readMessage()?.body == "ok")
    #expect(forwardedLines(upstream) == ["X-Forwarded-For: \(chain)", "X-Forwarded-Proto: \(scheme)"])
  }

  @Test("on one connection of a proxy every request has a client of its own")
  func manyClients() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let client = try gateway(upstream, trusting: ["127.0.0.1"]).connect()
    for address in ["203.0.113.1", "203.0.113.2", nil] {
      client.send("GET /account HTTP/1.1\r\nHost: a\r\n" + (address.map { "X-Forwarded-For: \($0)\r\n" } ?? "") + "\r\n")
      #expect(client.readMessage()?.body == address ?? "127.0.0.1")
    }
  }
}
