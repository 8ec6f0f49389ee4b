import EventLoop
import Glibc
import HTTPWire
import ReverseProxy

/// One client connection: reads requests, has each decided and carried out, in order.
///
/// What comes while a request is under way waits in the kernel, or in `channel.inbound` when it was received with it, so
/// pipelined requests are answered in their order and a sender can never make us hold more than one reception.
final class ClientConnection: ReadinessHandler {
  enum Phase {
    /// Between requests, or within a head. Next: `deciding`, `closing`.
    case head
    /// A token or credential is being asked for; the head waits in `channel.inbound`. Next: `deciding`.
    case parked
    /// The head is complete; its request is to be carried out. Next: `parked`, `forwarding`, `collecting`, `answering`, `head`.
    case deciding
    /// The request body goes to the upstream, the response comes back. Next: `head`, `closing`.
    case forwarding
    /// The body of a request to an own endpoint is gathered. Next: `answering`.
    case collecting
    /// An own endpoint works. Next: `head`, `closing`.
    case answering
    /// The last response goes out, then our side ends; what still comes is thrown away. Next: `closed`.
    case closing
    case closed
  }

  let engine: Engine
  let service: Engine.Service
  /// The peer as an address literal.
  let address: [UInt8]
  /// `X-Forwarded-For` and `X-Forwarded-Proto` of every request of this connection.
  let forwardedLines: [UInt8]
  var position = 0
  var deadline = Int64.max

  // The two that every step touches: the run-time check of exclusive access showed in the profile. Steps run one after the
  // other on the loop, and none holds either across a call that leads back here.
  @exclusivity(unchecked) var channel: Channel
  var phase = Phase.head
  @exclusivity(unchecked) var scanner: RequestScanner
  private var hasBegunHead = false
  private var hasEndedSending = false
  private var isPumping = false
  /// Counts parked and answering requests: results that come for an earlier one are dropped.
  var ticket: UInt64 = 0
  var endpointRequest: EndpointRequest?
  let exchange: Exchange

  init(_ engine: Engine, descriptor: Int32, peer: SocketAddress, service: Engine.Service) throws(SystemCallError) {
    self.engine = engine
    self.service = service
    let literal = peer.host
    address = Array(literal.utf8)
    forwardedLines = Array("X-Forwarded-For: \(literal)\r\nX-Forwarded-Proto: http\r\n".utf8)
    scanner = RequestScanner(limits: engine.limits.wire)
    channel = Channel(descriptor: descriptor, isWritable: true, pool: engine.pool)
    exchange = Exchange(engine)
    deadline = engine.deadline(after: engine.waits.header)
    exchange.attach(to: self)
    do {
      try channel.register(on: engine.loop, handler: self)
    } catch {
      channel.close(on: engine.loop)
      throw error
    }
  }

  /// Whether it waits between requests.
  var isIdle: Bool { phase == .head && channel.inbound.isEmpty && channel.outbound.isEmpty }

  /// Whether more may be written to it.
  var hasRoom: Bool { channel.outbound.count <= engine.limits.highWatermark }

  // MARK: Events

  func ready(_ readiness: Readiness, token: UInt32) {
    // Both directions are gone: nobody is there to answer.
    guard readiness.isDisjoint(with: [.hangUp, .error]) else { return abandon() }
    if channel.note(readiness) {
      guard flush() else { return }
    }
    pump()
  }

  private func flush() -> Bool {
    guard channel.flush() else {
      abandon()
      return false
    }
    if phase == .closing {
      endIfFlushed()
    } else if channel.outbound.count <= engine.limits.lowWatermark {
      bumpDeadline()
      if phase == .forwarding { exchange.clientHasRoom() }
    }
    return phase != .closed
  }

  /// Takes what can be taken now: bytes that wait here first, then bytes that wait in the kernel.
  func pump() {
    guard !isPumping, phase != .closed else { return }
    isPumping = true
    defer { isPumping = false }
    var receptions = 0
    while phase != .closed {
      if !channel.inbound.isEmpty, takesInput {
        let used = process(channel.inbound.readable.octets.span)
        guard phase != .closed else { return }
        if used > 0 {
          channel.inbound.consume(used)
          continue
        }
        // Parking, or the end of a request that came from elsewhere, changes what is to be done.
        if phase == .deciding { continue }
      }
      guard channel.isReadable, takesInput else { return }
      guard receptions < engine.limits.receptionsPerTurn else {
        return engine.loop.inNextTurn { [self] in pump() }
      }
      receptions += 1
      switch channel.receive(into: engine.scratch) {
      case .bytes(let count): take(UnsafeRawBufferPointer(rebasing: engine.scratch[..<count]))
      case .nothingYet: return
      case .end: return inputEnded()
      case .failed: return abandon()
      }
    }
  }

  private var takesInput: Bool {
    switch phase {
    // Whoever sends requests without taking the answers is not listened to.
    case .head: hasRoom
    case .deciding, .collecting, .closing: true
    case .forwarding: !exchange.requestBody.isComplete && exchange.hasRoom
    case .parked, .answering, .closed: false
    }
  }

  private func take(_ received: UnsafeRawBufferPointer) {
    guard channel.inbound.isEmpty else { return channel.inbound.append(received) }
    let used = process(received.octets.span)
    if phase != .closed, used < received.count {
      channel.inbound.append(UnsafeRawBufferPointer(rebasing: received[used...]))
    }
  }

  /// - Returns: how many bytes are done with.
  private func process(_ bytes: Span<UInt8>) -> Int {
    var used = 0
    while used < bytes.count {
      let rest = bytes.extracting(droppingFirst: used)
      let taken: Int
      switch phase {
      case .head: taken = takesInput ? takeHead(rest) : 0
      case .deciding: taken = decide(rest)
      case .forwarding: taken = takesInput ? takeBody(rest) : 0
      case .collecting: taken = collect(rest)
      case .closing: taken = rest.count
      case .parked, .answering, .closed: taken = 0
      }
      used &+= taken
      // A head that became complete is decided with the same bytes.
      if taken == 0, phase != .deciding { break }
    }
    return used
  }

  // MARK: Requests

  private func takeHead(_ bytes: Span<UInt8>) -> Int {
    do throws(WireError) {
      guard try scanner.scan(bytes) else {
        if !hasBegunHead {
          hasBegunHead = true
          deadline = engine.deadline(after: engine.waits.header)
        }
        return 0
      }
    } catch {
      refuse(error)
      return bytes.count
    }
    hasBegunHead = false
    phase = .deciding
    exchange.begin(scanner.head, bytes)
    return 0
  }

  private func takeBody(_ bytes: Span<UInt8>) -> Int {
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
    bumpDeadline()
    if taken > 0 {
      guard countBody(taken) else { return bytes.count }
      exchange.sendBody(bytes.extracting(0..<taken))
    }
    return taken
  }

  /// Bytes of the request body so far, framing included.
  private var bodyBytes = 0

  func countBody(_ count: Int, isFirst: Bool = false) -> Bool {
    bodyBytes = isFirst ? count : bodyBytes + count
    guard let limit = exchange.route?.bodyBytesMax, bodyBytes > limit else { return true }
    exchange.abandonUpstream()
    if exchange.hasBegunResponse { abandon() } else { fail(.bodyTooLarge) }
    return false
  }

  func bumpDeadline() { deadline = engine.deadline(after: engine.waits.idle) }

  // MARK: Writing

  /// - Returns: false when the connection is broken.
  func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard channel.send(bytes) else { return false }
    if !channel.outbound.isEmpty, deadline == .max { bumpDeadline() }
    return true
  }

  // MARK: Ends of a request

  /// The response went out, or waits in `channel.outbound`.
  func responseIsComplete() {
    exchange.finishLog()
    exchange.reset()
    guard exchange.keepsAlive, exchange.requestBody.isComplete else { return endAfterResponse() }
    phase = .head
    scanner.reset()
    bumpDeadline()
  }

  /// The upstream broke off after its head was forwarded: the client must not take what it got for the whole.
  func truncate() {
    exchange.finishLog()
    close(abruptly: true)
  }

  func endAfterResponse() {
    phase = .closing
    deadline = engine.deadline(after: channel.outbound.isEmpty ? engine.waits.linger : engine.waits.idle)
    endIfFlushed()
  }

  /// Ends our side once everything is out. The other side is read on for a while: closing with unread bytes would reset
  /// the connection, and the reset could overtake the response. Source: RFC 9112 §9.6.
  private func endIfFlushed() {
    guard channel.outbound.isEmpty, !hasEndedSending else { return }
    hasEndedSending = true
    deadline = engine.deadline(after: engine.waits.linger)
    channel.endSending()
  }

  private func inputEnded() {
    switch phase {
    case .head, .closing:
      // A response may still be on its way out to a client that has ended its own side.
      if channel.outbound.isEmpty { close() } else { endAfterResponse(); channel.isReadable = false }
    case .forwarding, .collecting:
      // Half a body is no request.
      exchange.abandonUpstream()
      close()
    case .parked, .deciding, .answering, .closed: break
    }
  }

  func timeOut() {
    switch phase {
    case .head where hasBegunHead: refuseTimeout()
    case .parked, .answering:
      // Whatever the result will be, it comes too late for this request.
      ticket &+= 1
      fail(phase == .parked ? .verificationUnavailable : .internalError)
      pump()
    case .forwarding where exchange.requestBody.isComplete && channel.outbound.isEmpty:
      // Nothing is expected of the client: the upstream has its own deadlines.
      deadline = .max
    case .forwarding where !exchange.hasBegunResponse && channel.outbound.isEmpty && exchange.hasRoom:
      exchange.abandonUpstream()
      fail(.requestTimeout)
    case .head, .deciding, .forwarding, .collecting, .closing, .closed: abandon()
    }
  }

  /// Ends the connection at once, with whatever is under way.
  func abandon() {
    guard phase != .closed else { return }
    exchange.abandonUpstream()
    close()
  }

  func close(abruptly: Bool = false) {
    guard phase != .closed else { return }
    phase = .closed
    ticket &+= 1
    exchange.reset()
    channel.close(on: engine.loop, abruptly: abruptly)
    engine.remove(self)
  }
}
