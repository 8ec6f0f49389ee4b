import EventLoop
import HTTPWire
import ReverseProxy

/// The exchange of a WebSocket: a request that is answered with 101, and what passes both ways from then on.
extension Exchange {
  /// Whether a 101 is what was asked for.
  func isAccepted(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) -> Bool {
    guard let tunnel else { return false }
    return WebSocketHandshake.isAccepted(by: head, bytes, accept: tunnel.accept)
  }

  /// Writes the 101 for the client; from now on bytes pass both ways as they are.
  func composeSwitch(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, into outgoing: inout ByteQueue) {
    beginResponse(status: head.status)
    isOpenEnded = true
    keepsAlive = false
    outgoing.clearKeepingMemory()
    append(head, bytes, to: &outgoing)
    outgoing.append(Tunnel.fieldLines)
    outgoing.append("\r\n")
    tunnel?.isOpen = true
    engine.count { $0.webSockets += 1 }
  }

  /// - Returns: false when the upstream is gone.
  func sendThroughTunnel(_ bytes: Span<UInt8>) -> Bool {
    tunnel?.requestBytes &+= UInt64(bytes.count)
    return upstream?.sendThroughTunnel(bytes) ?? false
  }

  /// The client has ended its side.
  func endSendingToUpstream() { upstream?.endSending() }
}
