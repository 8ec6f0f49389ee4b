import EventLoop
import HTTPWire
import ReverseProxy

/// The body of a request: how long it may be, and how slowly it may come.
extension ClientConnection {
  /// Passes bytes of the request body on to the upstream.
  ///
  /// - Returns: how many of `bytes` are done with.
  func takeBody(_ bytes: Span<UInt8>) -> Int {
    let taken: Int
    do throws(WireError) {
      taken = try exchange.takeBody(bytes)
    } catch {
      // The upstream must not take what it got so far for a whole request.
      exchange.abandonUpstream()
      engine.count { $0.refusedMessages += 1 }
      if exchange.hasBegunResponse { abandon() } else { answerRefusal(error) }
      return bytes.count
    }
    guard keepsPace(taken) else { return bytes.count }
    if taken > 0 {
      guard countBody(taken) else { return bytes.count }
      exchange.sendBody(bytes.extracting(0..<taken))
    }
    return taken
  }

  /// - Returns: false when the request was refused: it is longer than its route takes.
  func countBody(_ count: Int, isFirst: Bool = false) -> Bool {
    bodyBytes = isFirst ? count : bodyBytes + count
    guard let limit = exchange.route?.bodyBytesMax, bodyBytes > limit else { return true }
    refuseBody(.bodyTooLarge)
    return false
  }

  /// The first bytes of a request body came, or could have come.
  func beginBody() {
    arrival.begin(at: engine.loop.now)
    bumpDeadline()
  }

  /// The upstream took what waited for it: until then, it was not the client who was slow.
  func upstreamHasRoom() {
    arrival.begin(at: engine.loop.now)
    pump()
  }

  /// Takes note of more bytes of the request body.
  ///
  /// - Returns: false when the request was refused: its body comes too slowly.
  func keepsPace(_ count: Int) -> Bool {
    bumpDeadline()
    if exchange.requestBody.isComplete || arrival.note(count, at: engine.loop.now) { return true }
    refuseBody(.requestTimeout)
    return false
  }

  func refuseBody(_ error: GatewayError) {
    exchange.abandonUpstream()
    if exchange.hasBegunResponse { abandon() } else { fail(error) }
  }
}
