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
    #expect(response?.fields == ["content-length: 2"])
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
}
