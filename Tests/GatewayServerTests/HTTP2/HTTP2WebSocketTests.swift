import Cryptography
import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let connect: [(String, String)] = [
  (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "gw.example"), (":path", "/chat"),
  ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"),
]

@Suite(.serialized) struct HTTP2WebSocketTests {
  private static func gateway(_ upstream: ScriptedUpstream, streams: StreamRules = .webSocket) throws -> Gateway {
    try Gateway([.everything(streams: streams)], upstreams: ["up": [upstream.address]])
  }

  /// Switches as it should, then sends everything back.
  private static func echo() throws -> ScriptedUpstream {
    try ScriptedUpstream { connection, _ in
      guard let head = connection.readHead() else { return }
      let key = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }?.dropFirst(19) ?? ""
      let digest = SHA1.digest(Array("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)) ?? []
      connection.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: \(Base64.encode(digest))\r\nSec-WebSocket-Protocol: chat\r\n\r\n")
      while let bytes = connection.receive() { connection.send(bytes) }
    }
  }

  @Test("RFC 8441 §4, §5: an extended CONNECT opens a WebSocket, whose bytes pass both ways until either ends")
  func tunnel() throws {
    let upstream = try Self.echo()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connectHTTP2()
    client.readUntil { $0.settings[8] == 1 }
    let stream = client.request(connect, endsStream: false)
    #expect(client.readUntil { $0.responses[stream]?.status == "200" })
    #expect(client.responses[stream]?.fields == ["sec-websocket-protocol: chat"])
    #expect(client.isEchoed(on: stream))
    let response = client.response(stream)
    #expect(response?.isComplete == true && response?.error == nil)
    let sent = try #require(upstream.received.first)
    #expect(sent.hasPrefix("GET /chat HTTP/1.1\r\n") && sent.contains("\r\nUpgrade: websocket\r\n"))
    #expect(gateway.counters.webSockets == 1)
  }

  @Test("RFC 8441 §5: what does not switch opens no tunnel", arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
  ])
  func noSwitch(answer: String) throws {
    let upstream = try ScriptedUpstream(answering: answer)
    defer { upstream.stop() }
    for streams in [StreamRules.webSocket, StreamRules()] {
      let gateway = try Self.gateway(upstream, streams: streams)
      let client = try gateway.connectHTTP2()
      client.readUntil { $0.settings[8] == 1 }
      let response = client.response(client.request(connect, endsStream: false))
      #expect(response?.status != "200")
    }
  }

  @Test("RFC 8441 §4: another protocol, a tunnel without a path and one with content-length are malformed", arguments: [
    connect.map { $0.0 == ":protocol" ? (":protocol", "connect-udp") : $0 }, connect.filter { $0.0 != ":path" },
    connect.filter { $0.0 != ":scheme" }, connect + [("content-length", "0")],
    connect.map { $0.0 == ":method" ? (":method", "GET") : $0 },
  ])
  func malformed(fields: [(String, String)]) throws {
    let upstream = try Self.echo()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connectHTTP2()
    client.readUntil { $0.settings[8] == 1 }
    #expect(client.response(client.request(fields, endsStream: false))?.error == HTTP2ErrorCode.protocolError.rawValue)
    #expect(upstream.connectionCount == 0)
  }
}
