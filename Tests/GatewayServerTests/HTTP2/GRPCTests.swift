import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let call: [(String, String)] = [
  (":method", "POST"), (":scheme", "http"), (":authority", "gw.example"), (":path", "/pkg.Service/Method"),
  ("content-type", "application/grpc+proto"), ("te", "trailers"),
]

@Suite(.serialized) struct GRPCTests {
  @Test("gRPC over HTTP/2: te, content, status and messages pass through the gateway")
  func passing() throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        let te = request.fields.filter { $0.hasPrefix("te:") }.joined()
        connection.write(
          .headers(stream, [(":status", "200"), ("content-type", "application/grpc+proto"), ("x-te", te)], endsStream: false),
          .data(stream, request.body), .headers(stream, [("grpc-status", "5"), ("grpc-message", "not%20here")]))
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connectHTTP2()
    let stream = client.request(call, endsStream: false)
    client.write(.data(stream, "\0\0\0\0\u{3}abc", endsStream: true))
    let response = client.response(stream)
    #expect(response?.status == "200")
    #expect(response?.undated == ["content-type: application/grpc+proto", "x-te: te: trailers"])
    #expect(response?.body == "\0\0\0\0\u{3}abc")
    #expect(response?.trailers == ["grpc-status: 5", "grpc-message: not%20here"])
  }

  @Test("gRPC over HTTP/2, bidirectional streaming: messages come while others still go")
  func streaming() throws {
    let upstream = try ScriptedUpstream(http2: []) { connection, _ in
      connection.readUntil { !$0.responses.isEmpty }
      guard let stream = connection.responses.keys.first else { return }
      connection.write(.headers(stream, [(":status", "200"), ("content-type", "application/grpc")], endsStream: false))
      var seen = 0
      while connection.readUntil({ ($0.responses[stream]?.body.utf8.count ?? 0) > seen || $0.responses[stream]?.isComplete == true }) {
        let body = connection.responses[stream]?.body ?? ""
        if body.utf8.count > seen { connection.write(.data(stream, String(body.dropFirst(seen)).uppercased())) }
        seen = body.utf8.count
        if connection.responses[stream]?.isComplete == true { break }
      }
      connection.write(.headers(stream, [("grpc-status", "0")]))
      connection.readAll()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address)
    let client = try gateway.connectHTTP2()
    let stream = client.request(call, endsStream: false)
    for number in 1...5 {
      client.write(.data(stream, "msg-\(number)"))
      #expect(client.readUntil { $0.responses[stream]?.body.hasSuffix("MSG-\(number)") == true })
    }
    client.write(.data(stream, "", endsStream: true))
    #expect(client.response(stream)?.trailers == ["grpc-status: 0"])
  }

  @Test("Refusals are told as gRPC tells them: 200, and the status in the only head", arguments: [
    ("/pkg.Service/Method", [(String, String)](), "16"), ("/a/../b", [], "3"),
  ])
  func refusals(path: String, fields: [(String, String)], status: String) throws {
    let upstream = try ScriptedUpstream.http2Echo()
    defer { upstream.stop() }
    let gateway = try Gateway.http2(upstream.address, access: AccessPolicy(requiredScopes: ["read"]))
    let client = try gateway.connectHTTP2()
    let request = call.map { $0.0 == ":path" ? (":path", path) : $0 } + fields
    let response = client.response(client.request(request))
    #expect(response?.status == "200" && response?.isComplete == true && response?.body == "")
    #expect(response?.fields.contains("content-type: application/grpc") == true)
    #expect(response?.fields.contains("grpc-status: \(status)") == true)
    #expect(response?.fields.contains { $0.hasPrefix("grpc-message: ") } == true)
    #expect(upstream.connectionCount == 0)
  }

  @Test("A server that cannot be reached is UNAVAILABLE, a route that is not there UNIMPLEMENTED")
  func unavailable() throws {
    let gateway = try Gateway.http2(SocketAddress(literal: "127.0.0.1", port: 1)!)
    let client = try gateway.connectHTTP2()
    #expect(client.response(client.request(call))?.fields.contains("grpc-status: 14") == true)
    let nothing = try Gateway([], upstreams: [:])
    let other = try nothing.connectHTTP2()
    #expect(other.response(other.request(call))?.fields.contains("grpc-status: 12") == true)
  }
}
