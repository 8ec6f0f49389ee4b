import EventLoop
import ReverseProxy

@testable import GatewayServer

/// The two ends of a WebSocket as tests play them. Source of key and accept: RFC 6455 §1.3.
enum WebSocketPeer {
  static let key = "dGhlIHNhbXBsZSBub25jZQ=="
  static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

  static func request(_ fields: String = "", path: String = "/") -> String {
    "GET \(path) HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Key: \(key)\r\n\(fields)\r\n"
  }

  static let switching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n"

  static func text(_ text: String) -> [UInt8] { [0x81, UInt8(text.utf8.count)] + Array(text.utf8) }

  /// A close frame and the end of the connection.
  static func closing(_ code: UInt16) -> [UInt8] { [0x88, 0x02, UInt8(code >> 8), UInt8(code & 0xff)] }
}

extension RawConnection {
  /// A whole unmasked frame with a payload below 126 bytes; nil at the end.
  func readFrame() -> (opcode: UInt8, payload: [UInt8])? {
    guard let head = read(2), let payload = read(Int(head[1] & 0x7f)) else { return nil }
    return (head[0] & 0x0f, payload)
  }

  /// The code of the close frame that comes next; nil when something else comes.
  func readClose() -> UInt16? {
    guard let frame = readFrame(), frame.opcode == 8, frame.payload.count >= 2 else { return nil }
    return UInt16(frame.payload[0]) << 8 | UInt16(frame.payload[1])
  }
}

extension StreamRules {
  static let webSocket = StreamRules(allowsWebSocket: true)
}
