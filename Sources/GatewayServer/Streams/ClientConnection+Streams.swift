import HTTPWire
import OAuthCore
import ReverseProxy

/// WebSockets, and how exchanges under way are ended from outside.
extension ClientConnection {
  // MARK: Asking for a WebSocket

  /// Takes note of an opening handshake on a route that lets it through.
  func noteUpgrade(_ bytes: Span<UInt8>) {
    guard scanner.head.fields.asksToUpgrade, exchange.tunnel == nil else { return }
    // Whatever comes of it: what the client sends behind its request was perhaps meant for the new protocol, and must not
    // be read as a request.
    exchange.keepsAlive = false
    exchange.tunnel = Tunnel(scanner.head, bytes)
  }

  // MARK: The tunnel

  /// The upstream has switched, and the client has been told.
  func beginTunnel() {
    phase = .tunnelling
    deadline = .max
    // In the next turn, when nobody uses the scratch buffer: what the client sent ahead waits.
    engine.loop.inNextTurn { [self] in pump() }
  }

  /// - Returns: bytes done with.
  func takeTunnel(_ bytes: Span<UInt8>) -> Int {
    if !exchange.sendThroughTunnel(bytes) { endTunnel(.upstream) }
    return bytes.count
  }

  /// The client ended its side: the upstream hears of it, and may still answer.
  func endTunnelInput() {
    exchange.tunnel?.hasClientEnded = true
    exchange.endSendingToUpstream()
  }

  /// Ends a WebSocket before its time: with a close frame where one may stand and the client takes it at once, so that
  /// nobody gets what waits for longer than the ending lets them; otherwise abruptly.
  func endTunnel(_ ending: StreamEnding) {
    guard phase == .tunnelling, let tunnel = exchange.tunnel else { return }
    exchange.abandonUpstream()
    exchange.finishLog(ending)
    let mayClose = tunnel.fromUpstream.takesAnother && channel.outbound.isEmpty
    exchange.reset()
    // From here on nothing of the exchange is left to be logged or broken off.
    phase = .closing
    guard mayClose, let frame = ending.closeFrame, frame.withUnsafeBytes({ send($0) }) else { return close(abruptly: true) }
    endAfterResponse()
  }

  // MARK: What an exchange rests on

  /// The token of the exchange under way; nil when there is none.
  var tokenUnderWay: VerifiedToken? {
    switch phase {
    case .forwarding, .tunnelling: exchange.token
    default: nil
    }
  }

  /// Whether the exchange under way goes on without a declared end, though the route's grace after its token is over.
  func hasOutlivedToken(at now: Timestamp) -> Bool {
    guard exchange.isOpenEnded, let token = tokenUnderWay, let grace = exchange.route?.route.streams.expiryGrace else {
      return false
    }
    return token.facts.expiresAt + grace <= now
  }

  /// Ends the exchange under way: what has begun is cut off, what has not is refused.
  func cut(_ ending: StreamEnding) {
    switch phase {
    case .tunnelling: endTunnel(ending)
    case .forwarding where exchange.hasBegunResponse:
      exchange.abandonUpstream()
      truncate(ending)
    case .forwarding:
      exchange.abandonUpstream()
      let policy = exchange.route?.route.access ?? AccessPolicy()
      fail(.accessDenied(.invalidToken, policy))
      pump()
    default: break
    }
  }
}

extension StreamEnding {
  /// What a WebSocket's client is told; nil: nothing can be said.
  fileprivate var closeFrame: [UInt8]? {
    switch self {
    case .revoked: WebSocketCloseCode.policyViolation.frame(reason: "The access token was revoked.")
    case .expired: WebSocketCloseCode.policyViolation.frame(reason: "The access token has expired.")
    case .shutDown: WebSocketCloseCode.goingAway.frame(reason: "The gateway is shutting down.")
    case .idle: WebSocketCloseCode.goingAway.frame(reason: "Nothing came for too long.")
    case .upstream, .client: nil
    }
  }
}
