import EventLoop
import HTTPWire
import ReverseProxy

/// From what a server sends to the head and body that go to the client.
extension UpstreamConnection {
  func take(_ received: UnsafeRawBufferPointer, _ exchange: Exchange) {
    if channel.inbound.isEmpty {
      let used = process(received.octets.span, exchange)
      if isCarrying, used < received.count {
        channel.inbound.append(UnsafeRawBufferPointer(rebasing: received[used...]))
      }
    } else {
      channel.inbound.append(received)
      let used = process(channel.inbound.readable.octets.span, exchange)
      if isCarrying { channel.inbound.consume(used) }
    }
  }

  /// - Returns: how many bytes are done with; meaningless when the exchange is over.
  func process(_ bytes: Span<UInt8>, _ exchange: Exchange) -> Int {
    var used = 0
    while used < bytes.count, isCarrying {
      let rest = bytes.extracting(droppingFirst: used)
      do throws(WireError) {
        let taken = hasHead ? try takeBody(rest, exchange) : try takeHead(rest, exchange)
        if taken == 0 { break }
        used &+= taken
      } catch {
        fail(hasHead ? .responseIncomplete : error.asGatewayError)
        break
      }
    }
    return used
  }

  private func takeHead(_ bytes: Span<UInt8>, _ exchange: Exchange) throws(WireError) -> Int {
    guard try scanner.scan(bytes, answering: exchange.method) else { return 0 }
    if scanner.head.isInterim {
      if scanner.head.status == 101, exchange.isAccepted(scanner.head, bytes) { return beginTunnel(bytes, exchange) }
      interimCount += 1
      // Nobody asked for this switch of protocols: `Upgrade` is forwarded only where a WebSocket may begin.
      guard scanner.head.status != 101, interimCount <= engine.limits.interimResponses else { throw .badStatusLine }
      let count = scanner.head.byteCount
      let isSent = exchange.forwardInterim(bytes, scanner.head)
      scanner.reset()
      if !isSent { exchange.clientIsGone() }
      return count
    }
    // What answers well, where nothing speaks against the server, is not looked into.
    if scanner.head.status >= 401 || server.isAttended, exchange.goesElsewhere(after: scanner.head, bytes, from: self) {
      return isHeld ? 0 : bytes.count
    }
    hasHead = true
    deadline = engine.deadline(after: server.waits.idle)
    body = BodyReader(scanner.head.framing)
    let start = scanner.head.byteCount
    exchange.composeResponse(scanner.head, bytes, into: &engine.outgoing)
    let content: Int
    do throws(WireError) {
      content = try bytes.count > start ? forward(bytes.extracting(droppingFirst: start), exchange) : 0
    } catch {
      // Nothing of it has gone out: the client can still be told.
      exchange.takeBackResponse()
      hasHead = false
      throw error
    }
    guard exchange.sendOutgoing() else {
      exchange.clientIsGone()
      return bytes.count
    }
    if body.isComplete {
      finish(exchange, leavesBytes: start &+ content < bytes.count)
    } else {
      exchange.noteStream(scanner.head, bytes)
    }
    return start &+ content
  }

  /// Everything from here to the end of the connection is the tunnel's.
  ///
  /// - Returns: bytes done with: the head.
  private func beginTunnel(_ bytes: Span<UInt8>, _ exchange: Exchange) -> Int {
    if server.isAttended { server.succeed(at: engine.loop.now) }
    hasHead = true
    deadline = engine.deadline(after: server.waits.idle)
    body = BodyReader(.untilClose)
    exchange.composeSwitch(scanner.head, bytes, into: &engine.outgoing)
    guard exchange.sendOutgoing() else {
      exchange.clientIsGone()
      return bytes.count
    }
    exchange.withClient { $0.beginTunnel() }
    return scanner.head.byteCount
  }

  private func takeBody(_ bytes: Span<UInt8>, _ exchange: Exchange) throws(WireError) -> Int {
    let taken: Int
    let isSent: Bool
    if exchange.isDechunking {
      engine.outgoing.clearKeepingMemory()
      taken = try forward(bytes, exchange)
      isSent = exchange.sendOutgoing()
    } else {
      taken = try body.advanceAll(bytes)
      isSent = taken == 0 || exchange.sendContent(bytes.extracting(0..<taken))
    }
    guard isSent else {
      exchange.clientIsGone()
      return bytes.count
    }
    if body.isComplete { finish(exchange, leavesBytes: taken < bytes.count) }
    return taken
  }

  /// Appends what is there of the body to what is going out.
  private func forward(_ bytes: Span<UInt8>, _ exchange: Exchange) throws(WireError) -> Int {
    guard exchange.isDechunking else {
      let taken = try body.advanceAll(bytes)
      if taken > 0 { engine.outgoing.append(bytes.extracting(0..<taken)) }
      return taken
    }
    var taken = 0
    while taken < bytes.count, !body.isComplete {
      let rest = bytes.extracting(droppingFirst: taken)
      let step = try body.advance(rest)
      if step.wireCount == 0 { break }
      engine.outgoing.append(rest.extracting(step.content))
      taken &+= step.wireCount
    }
    return taken
  }
}

extension WireError {
  fileprivate var asGatewayError: GatewayError {
    switch self {
    case .fieldsTooLarge, .tooManyFields: .responseHeadTooLarge
    default: .responseMalformed
    }
  }
}
