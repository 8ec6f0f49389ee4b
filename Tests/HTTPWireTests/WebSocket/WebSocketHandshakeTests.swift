import HTTPWire
import Testing

/// Source of key and accept: RFC 6455 §1.3.
private let key = "dGhlIHNhbXBsZSBub25jZQ=="
private let accept = Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8)

@Suite struct WebSocketHandshakeTests {
  private static let fields = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(key)"]

  private static func refusal(_ line: String, _ fields: [String]) throws -> WebSocketHandshake.Refusal? {
    let bytes = Array((["\(line)", "Host: a"] + fields).map { "\($0)\r\n" }.joined().utf8) + [0x0d, 0x0a]
    var scanner = RequestScanner()
    #expect(try scanner.scan(bytes.span))
    do throws(WebSocketHandshake.Refusal) {
      let range = try WebSocketHandshake.key(of: scanner.head, bytes.span)
      #expect(bytes.span.text(range) == key)
      return nil
    } catch {
      return error
    }
  }

  @Test("RFC 6455 §4.2.1: an opening handshake is told by its fields, in any order and case", arguments: [
    fields, fields.reversed(), ["UPGRADE: WebSocket", "connection: keep-alive, UPGRADE"] + fields.suffix(2),
    fields + ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"],
  ])
  func handshake(fields: [String]) throws {
    #expect(try Self.refusal("GET /chat HTTP/1.1", fields) == nil)
  }

  @Test("RFC 6455 §4.2.1: what is not exactly an opening handshake is none")
  func refusals() throws {
    func with(_ index: Int, _ lines: String...) -> [String] {
      var fields = Self.fields
      fields.replaceSubrange(index...index, with: lines)
      return fields
    }
    #expect(try Self.refusal("GET / HTTP/1.1", with(1)) == .unasked)
    #expect(try Self.refusal("GET / HTTP/1.1", with(1, "Connection: upgraded")) == .unasked)
    #expect(try Self.refusal("POST / HTTP/1.1", Self.fields) == .badRequest)
    #expect(try Self.refusal("GET / HTTP/1.0", Self.fields) == .badRequest)
    #expect(try Self.refusal("GET / HTTP/1.1", Self.fields + ["Content-Length: 1"]) == .badRequest)
    #expect(try Self.refusal("GET / HTTP/1.1", Self.fields + ["Transfer-Encoding: chunked"]) == .badRequest)
    for upgrade in ["Upgrade: h2c", "Upgrade: websocket, h2c", "Upgrade: websocket/13", "Upgrade:"] {
      #expect(try Self.refusal("GET / HTTP/1.1", with(0, upgrade)) == .otherProtocol)
    }
    #expect(try Self.refusal("GET / HTTP/1.1", with(0)) == .otherProtocol)
    #expect(try Self.refusal("GET / HTTP/1.1", Self.fields + ["Upgrade: websocket"]) == .otherProtocol)
    for version in ["8", "14", "13, 8", "130", ""] {
      #expect(try Self.refusal("GET / HTTP/1.1", with(2, "Sec-WebSocket-Version: \(version)")) == .badVersion)
    }
    #expect(try Self.refusal("GET / HTTP/1.1", with(2)) == .badVersion)
    for key in ["", "short", key + "=", String(key.dropLast(2)) + "AA", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25j*Q=="] {
      #expect(try Self.refusal("GET / HTTP/1.1", with(3, "Sec-WebSocket-Key: \(key)")) == .badKey, "\(key)")
    }
    #expect(try Self.refusal("GET / HTTP/1.1", with(3)) == .badKey)
    #expect(try Self.refusal("GET / HTTP/1.1", Self.fields + ["Sec-WebSocket-Key: \(key)"]) == .badKey)
    // What is not forwarded cannot be answered.
    #expect(try Self.refusal("GET / HTTP/1.1", with(1, "Connection: upgrade, sec-websocket-key")) == .badKey)
  }

  @Test("RFC 6455 §4.1: a 101 is believed when it answers the handshake, and frames no body", arguments: [
    ("Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", true),
    ("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=|connection: upgrade|upgrade: WEBSOCKET|Sec-WebSocket-Protocol: a", true),
    ("Upgrade: websocket|Connection: Upgrade", false),
    ("Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Accept: s3pplmbitxaq9kygzzhzrbk+xoo=", false),
    ("Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo", false),
    ("Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", false),
    ("Upgrade: h2c|Connection: Upgrade|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", false),
    ("Upgrade: websocket, h2c|Connection: Upgrade|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", false),
    ("Connection: Upgrade|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", false),
    ("Upgrade: websocket|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", false),
    ("Upgrade: websocket|Connection: Upgrade, Sec-WebSocket-Accept|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", false),
    ("Upgrade: websocket|Connection: Upgrade|Content-Length: 0|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", false),
  ])
  func answers(fields: String, isAccepted: Bool) throws {
    let lines = fields.split(separator: "|").map { "\($0)\r\n" }.joined()
    let bytes = Array("HTTP/1.1 101 Switching Protocols\r\n\(lines)\r\n".utf8)
    var scanner = ResponseScanner()
    #expect(try scanner.scan(bytes.span, answering: .get))
    #expect(WebSocketHandshake.isAccepted(by: scanner.head, bytes.span, accept: accept) == isAccepted)
  }
}
