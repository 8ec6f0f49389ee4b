import EventLoop
import Glibc
import HTTPWire
import ReverseProxy

/// One client connection: reads requests, has each decided and carried out, in order.
///
/// What comes while a request is under way waits in the kernel, or in `channel.inbound` when it was received with it, so
/// pipelined requests are answered in their order and a sender can never make us hold more than one reception.
final class ClientConnection: ReadinessHandler, RosterMember {
  enum Phase {
    /// The TLS handshake. Next: `head`, `closed`.
    case securing
    /// Between requests, or within a head. Next: `deciding`, `closing`.
    case head
    /// A token or credential is being asked for; the head waits in `channel.inbound`. Next: `deciding`.
    case parked
    /// The head is complete; its request is to be carried out. Next: `parked`, `forwarding`, `collecting`, `answering`, `head`.
    case deciding
    /// The request body goes to the upstream, the response comes back. Next: `head`, `tunnelling`, `closing`.
    case forwarding
    /// The body of a request to an own endpoint is gathered. Next: `answering`.
    case collecting
    /// An own endpoint works. Next: `head`, `closing`.
    case answering
    /// A WebSocket: bytes pass both ways as they are. Next: `closing`.
    case tunnelling
    /// The last response goes out, then our side ends; what still comes is thrown away. Next: `closed`.
    case closing
    case closed
  }

  let engine: Engine
  let service: Engine.Service
  private(set) var peer: ClientPeer
  /// Whom the request under way comes from, by the word of a trusted proxy.
  private var named: RequestOrigin?
  var position = 0
  var deadline = Int64.max

  // The two that every step touches: the run-time check of exclusive access showed in the profile. Steps run one after the
  // other on the loop, and none holds either across a call that leads back here.
  @exclusivity(unchecked) var channel: Channel
  var phase: Phase
  @exclusivity(unchecked) var scanner: RequestScanner
  private var hasBegunHead = false
  private var hasEndedSending = false
  private var isPumping = false
  /// Counts parked and answering requests: results that come for an earlier one are dropped.
  var ticket: UInt64 = 0
  var endpointRequest: EndpointRequest?
  let exchange: Exchange
  /// Bytes of the request body so far, framing included.
  var bodyBytes = 0
  var arrival: BodyPace
  /// Whether Postern's own answers are told as gRPC tells them.
  private(set) var isGRPC = false
  /// Whether the client says that it takes trailers; of streams only.
  private(set) var acceptsTrailers = false

  /// - Parameter tls: nil: clear text.
  convenience init(
    _ engine: Engine, descriptor: Int32, peer: SocketAddress, service: Engine.Service, tls: TLSSession?
  ) throws(SystemCallError) {
    self.init(
      engine, Channel(descriptor: descriptor, isWritable: true, tls: tls, pool: engine.pool),
      ClientPeer(peer, isSecure: tls != nil, trustedProxies: engine.trustedProxies), service)
    do {
      try channel.register(on: engine.loop, handler: self)
    } catch {
      channel.close(on: engine.loop)
      throw error
    }
  }

  /// - Parameter stream: one request, carried by a connection that speaks HTTP/2.
  convenience init(_ engine: Engine, stream: HTTP2ClientStream, peer: ClientPeer, service: Engine.Service) {
    self.init(engine, Channel(stream: stream, isWritable: true, pool: engine.pool), peer, service)
    isGRPC = stream.isGRPC
    acceptsTrailers = stream.acceptsTrailers
  }

  private init(_ engine: Engine, _ channel: consuming Channel, _ peer: ClientPeer, _ service: Engine.Service) {
    self.engine = engine
    self.service = service
    self.peer = peer
    phase = channel.tls == nil ? .head : .securing
    arrival = BodyPace(
      bytesPerSecond: engine.limits.request.minimumBodyRate, stretch: engine.limits.request.idleTimeout)
    scanner = RequestScanner(limits: engine.limits.wire)
    self.channel = channel
    exchange = Exchange(engine)
    deadline = engine.deadline(after: engine.waits.header)
    super.init()
    exchange.attach(to: self)
  }

  /// Whether it waits between requests, or before the first.
  var isIdle: Bool { phase == .securing || phase == .head && channel.inbound.isEmpty && channel.outbound.isEmpty }

  /// Whether more may be written to it.
  var hasRoom: Bool { channel.outbound.count <= engine.limits.highWatermark }

  /// Whom the request under way comes from.
  var origin: RequestOrigin {
    guard peer.isTrustedProxy, let named else { return peer.origin }
    return named
  }

  /// Tells an upstream whom the request under way comes from.
  func appendForwardedLines(to request: inout ByteQueue) {
    if peer.isTrustedProxy, let named {
      request.append(named.forwardedLines)
    } else {
      request.append(peer.origin.forwardedLines)
    }
  }

  // MARK: Events

  override func ready(_ readiness: Readiness, token: UInt32) {
    // Both directions are gone: nobody is there to answer.
    guard readiness.isDisjoint(with: [.hangUp, .error]) else { return abandon() }
    if phase == .securing {
      guard secure() else { return }
    }
    if channel.note(readiness) {
      guard flush() else { return }
    }
    // Nobody reads an event stream any more; between two events nothing else would tell.
    if channel.isPeerClosed, phase == .forwarding, exchange.isEventStream { return abandon() }
    pump()
  }

  /// - Returns: whether requests may come now.
  private func secure() -> Bool {
    switch channel.handshake() {
    case .done:
      phase = .head
      deadline = engine.deadline(after: engine.waits.header)
      engine.count { $0.tlsHandshakes += 1 }
      peer.secured = channel.tls.flatMap { SecuredPeer($0) }
      guard channel.tls?.applicationProtocol == .http2 else { return true }
      becomeHTTP2(received: [])
      return false
    case .pending: return false
    case .failed:
      // OpenSSL has told the peer why.
      engine.count { $0.failedHandshakes += 1 }
      close()
      return false
    }
  }

  private func flush() -> Bool {
    let waited = channel.outbound.count
    guard channel.flush() else {
      abandon()
      return false
    }
    if phase == .closing {
      endIfFlushed()
    } else if channel.outbound.count <= engine.limits.lowWatermark {
      // Every sip must not count: the last bytes of a response could be taken one by one for ever.
      if channel.outbound.isEmpty || waited > engine.limits.lowWatermark { allowTimeToTake() }
      if phase == .forwarding || phase == .tunnelling { exchange.clientHasRoom() }
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
      switch channel.receive(into: phase == .forwarding ? engine.scratch : engine.headScratch) {
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
    case .tunnelling: exchange.tunnel?.hasClientEnded == false && exchange.hasRoom
    case .securing, .parked, .answering, .closed: false
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
      case .tunnelling: taken = takesInput ? takeTunnel(rest) : 0
      case .collecting: taken = collect(rest)
      case .closing: taken = rest.count
      case .securing, .parked, .answering, .closed: taken = 0
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
      if error == .unsupportedVersion, isHTTP2Preface(bytes) {
        becomeHTTP2(received: bytes.withUnsafeBufferPointer { Array($0) })
      } else {
        refuse(error)
      }
      return bytes.count
    }
    hasBegunHead = false
    phase = .deciding
    if peer.isTrustedProxy {
      named = engine.trustedProxies.origin(bytes, lines: scanner.head.fieldLines, peer: peer.origin)
    }
    exchange.begin(scanner.head, bytes)
    return 0
  }

  /// Whether a client begins with HTTP/2, by prior knowledge: with a request line that is none of HTTP/1.1.
  ///
  /// Source: RFC 9113 §3.3, §3.4.
  private func isHTTP2Preface(_ bytes: Span<UInt8>) -> Bool {
    guard !channel.isCarried, !exchange.hasBegun else { return false }
    return bytes.count >= 16 && bytes.withUnsafeBufferPointer { $0.prefix(16).elementsEqual("PRI * HTTP/2.0\r\n".utf8) }
  }

  private func becomeHTTP2(received: [UInt8]) {
    let (descriptor, tls) = (channel.descriptor, channel.tls)
    channel.release(from: engine.loop)
    phase = .closed
    // In this order a drain sees one of them at any time, and none twice.
    let http2 = engine.acceptedHTTP2(descriptor, tls, from: peer, for: service)
    engine.remove(self)
    http2?.begin(received)
  }

  func bumpDeadline() { deadline = engine.deadline(after: engine.waits.idle) }

  /// Part of a response waits for the client from now on.
  private func allowTimeToTake() {
    switch phase {
    case .forwarding, .tunnelling: bumpDeadline()
    case .head where !hasBegunHead: bumpDeadline()
    // Their deadlines are those of the next request, which the last response has nothing to do with, or of the end.
    case .securing, .head, .parked, .deciding, .collecting, .answering, .closing, .closed: break
    }
  }

  // MARK: Writing

  /// - Returns: false when the connection is broken.
  func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let hadRoom = channel.outbound.isEmpty
    guard channel.send(bytes) else { return false }
    if hadRoom, !channel.outbound.isEmpty { allowTimeToTake() }
    return true
  }

  // MARK: Ends of a request

  /// The response went out, or waits in `channel.outbound`.
  func responseIsComplete() {
    exchange.finishLog()
    exchange.reset()
    if peer.isTrustedProxy { named = nil }
    guard exchange.keepsAlive, exchange.requestBody.isComplete else { return endAfterResponse() }
    phase = .head
    scanner.reset()
    bumpDeadline()
  }

  /// The response ends before it is whole: the client must not take what it got for all of it.
  func truncate(_ ending: StreamEnding = .upstream) { close(abruptly: true, ending) }

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
    case .tunnelling: endTunnelInput()
    case .securing, .parked, .deciding, .answering, .closed: break
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
    case .forwarding where exchange.requestBody.isComplete && channel.outbound.isEmpty,
      .tunnelling where channel.outbound.isEmpty:
      // Nothing is expected of the client: the upstream has its own deadlines.
      deadline = .max
    case .forwarding where channel.outbound.isEmpty && !exchange.hasRoom:
      // The upstream is slow to take the body, and has a deadline of its own.
      bumpDeadline()
    case .forwarding where channel.outbound.isEmpty, .collecting: refuseBody(.requestTimeout)
    case .securing, .head, .deciding, .forwarding, .tunnelling, .closing, .closed: abandon()
    }
  }

  /// Ends the connection at once, with whatever is under way.
  func abandon(_ ending: StreamEnding = .client) {
    guard phase != .closed else { return }
    // A clean end would make the client take half a response for the whole, where its length is not told.
    let isMidResponse = !channel.outbound.isEmpty || isMidResponse
    exchange.abandonUpstream()
    close(abruptly: isMidResponse, ending)
  }

  /// Whether part of an upstream's response went out, and more was to come.
  private var isMidResponse: Bool { phase == .tunnelling || phase == .forwarding && exchange.hasBegunResponse }

  /// - Parameter ending: what the log says when a response was under way.
  func close(abruptly: Bool = false, _ ending: StreamEnding = .client) {
    guard phase != .closed else { return }
    if isMidResponse { exchange.finishLog(ending) }
    phase = .closed
    ticket &+= 1
    exchange.reset()
    channel.close(on: engine.loop, abruptly: abruptly)
    engine.remove(self)
  }
}
