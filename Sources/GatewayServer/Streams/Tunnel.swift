import Cryptography
import HTTPWire

/// A WebSocket that was asked for, or that has begun.
final class Tunnel {
  /// What `Sec-WebSocket-Accept` has to be. Source: RFC 6455 §4.2.2.
  let accept: [UInt8]
  /// The upstream has switched: bytes pass both ways as they are.
  var isOpen = false
  var fromUpstream = WebSocketFrames()
  /// Bytes the client has sent.
  var requestBytes: UInt64 = 0
  /// The client has ended its side.
  var hasClientEnded = false

  /// `Upgrade` and what it needs (RFC 9110 §7.8), for both sides: what either sent of them is its own hop's.
  static let fieldLines: StaticString = "Connection: Upgrade\r\nUpgrade: websocket\r\n"

  /// - Returns: nil when the request is no opening handshake.
  init?(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
    guard let key = try? WebSocketHandshake.key(of: head, bytes) else { return nil }
    let text = bytes.extracting(key.range).withUnsafeBytes { Array($0) }
    let suffix = WebSocketHandshake.acceptSuffix.withUTF8Buffer { Array($0) }
    guard let digest = SHA1.digest(text + suffix) else { return nil }
    accept = Array(Base64.encode(digest).utf8)
  }
}

/// Why an exchange ended before its time.
enum StreamEnding {
  /// What it rested on, its token or the user's connection, was revoked.
  case revoked
  /// Its token expired and the route's grace is over.
  case expired
  /// The server stops.
  case shutDown
  /// Nothing came for longer than the upstream's idle time-out.
  case idle
  /// The upstream broke off.
  case upstream
  /// The client went away.
  case client

  var name: StaticString {
    switch self {
    case .revoked: "revoked"
    case .expired: "expired"
    case .shutDown: "shut_down"
    case .idle: "idle"
    case .upstream: "upstream"
    case .client: "client"
    }
  }
}
