import EventLoop
import HTTPWire
import ReverseProxy

/// One connection to an upstream server: carries one exchange at a time, then waits in its server's pool.
///
/// `connecting → exchange → idle → exchange …`; anything out of order closes it.
final class UpstreamConnection: ReadinessHandler, RosterMember {
  let engine: Engine
  let server: UpstreamServer
  // As in `ClientConnection`: touched by every step, one after the other.
  @exclusivity(unchecked) var channel: Channel
  // SAFETY: its client connection holds the exchange, and ends ours before it goes.
  private var exchangeReference: Unmanaged<Exchange>?
  private var exchange: Exchange? { exchangeReference?.takeUnretainedValue() }
  var isCarrying: Bool { exchangeReference != nil }
  var position = 0
  /// Among its server's idle connections, while it is one.
  var idlePosition = 0
  var deadline = Int64.max
  /// Until the connection stands, with TLS where the origin has it.
  private(set) var isConnecting: Bool
  /// The server says that it has not looked at the request.
  private(set) var isUnprocessed = false
  /// Of a stream: others came before it on its connection.
  private var followsOthers = false
  private var isIdle = false
  private var exchangeCount = 0
  private var isPumping = false
  private var endsWhenFlushed = false
  private var isClosed = false

  @exclusivity(unchecked) var scanner: ResponseScanner
  var hasHead = false
  var interimCount = 0
  /// Whether a head waits, with what followed it, for a word of the exchange; and how many did before.
  var isHeld = false
  private var holdCount = 0
  @exclusivity(unchecked) var body = BodyReader()

  /// - Parameter tls: nil: clear text.
  init(
    _ engine: Engine, _ server: UpstreamServer, descriptor: Int32, isConnected: Bool, tls: TLSSession?
  ) throws(SystemCallError) {
    self.engine = engine
    self.server = server
    isConnecting = !isConnected || tls != nil
    scanner = ResponseScanner(limits: engine.limits.responseWire)
    channel = Channel(descriptor: descriptor, isWritable: isConnected, tls: tls, pool: engine.pool)
    super.init()
    do {
      try channel.register(on: engine.loop, handler: self)
    } catch {
      channel.close(on: engine.loop)
      throw error
    }
    engine.add(self)
  }

  /// - Parameter stream: of a connection that speaks HTTP/2.
  init(_ engine: Engine, _ server: UpstreamServer, stream: HTTP2UpstreamStream) {
    self.engine = engine
    self.server = server
    isConnecting = !stream.isReady
    followsOthers = stream.followsOthers
    scanner = ResponseScanner(limits: engine.limits.responseWire)
    channel = Channel(stream: stream, isWritable: stream.isReady, pool: engine.pool)
    super.init()
    stream.attach(self)
    engine.add(self)
  }

  /// Whether the server may have closed the connection in the very moment it was used again.
  var wasReused: Bool { exchangeCount > 1 || followsOthers }

  /// Whether the server has not seen the request, or will not look at it.
  var isUnsent: Bool { isConnecting || isUnprocessed }

  var hasRoom: Bool { channel.outbound.count <= engine.limits.highWatermark }

  // MARK: Sending

  /// - Returns: false when the connection is broken; nothing was sent then.
  func begin(_ exchange: Exchange, request: UnsafeRawBufferPointer) -> Bool {
    exchangeReference = .passUnretained(exchange)
    isIdle = false
    exchangeCount += 1
    hasHead = false
    interimCount = 0
    scanner.reset()
    deadline = engine.deadline(after: isConnecting ? server.waits.connect : server.waits.responseHead)
    return channel.send(request)
  }

  /// - Returns: false when the connection is broken.
  func send(_ bytes: Span<UInt8>) -> Bool {
    if !isConnecting, !hasHead { deadline = engine.deadline(after: server.waits.responseHead) }
    return bytes.withUnsafeBytes { channel.send($0) }
  }

  /// Passes on what came through a tunnel; any byte either way keeps it open.
  ///
  /// - Returns: false when the connection is broken.
  func sendThroughTunnel(_ bytes: Span<UInt8>) -> Bool {
    deadline = engine.deadline(after: server.waits.idle)
    return bytes.withUnsafeBytes { channel.send($0) }
  }

  /// Ends this side once everything is out; the server's answer to it is still read.
  func endSending() {
    if channel.outbound.isEmpty { channel.endSending() } else { endsWhenFlushed = true }
  }

  // MARK: Events

  override func ready(_ readiness: Readiness, token: UInt32) {
    var isWritable = false
    if isConnecting {
      guard finishConnecting(readiness) else { return }
      isConnecting = false
      deadline = engine.deadline(after: server.waits.responseHead)
      isWritable = true
    }
    if channel.note(readiness) { isWritable = true }
    if !readiness.isDisjoint(with: [.hangUp, .error]) { channel.isReadable = true }
    if isIdle {
      // Bytes nobody asked for, or its end: either way it is not used again.
      if channel.isReadable, !bringsNothing() { close() }
      return
    }
    guard isWritable else { return pump() }
    guard channel.flush() else { return fail(.connectionTerminated) }
    if endsWhenFlushed, channel.outbound.isEmpty {
      endsWhenFlushed = false
      channel.endSending()
    }
    let exchange = exchange
    pump()
    if channel.outbound.count <= engine.limits.lowWatermark { exchange?.withClient { $0.upstreamHasRoom() } }
  }

  private func finishConnecting(_ readiness: Readiness) -> Bool {
    let outcome = channel.finishConnecting(readiness)
    if let error = server.error(of: outcome, for: engine) {
      fail(error)
      return false
    }
    guard case .done = outcome else { return false }
    guard let http2 = server.http2, channel.tls?.applicationProtocol == .http2 else { return true }
    return becomeStream(of: http2)
  }

  /// The server has chosen HTTP/2: what waits goes to a stream of the connection that this one becomes.
  private func becomeStream(of http2: HTTP2UpstreamPool) -> Bool {
    let (descriptor, tls) = (channel.descriptor, channel.tls)
    let request = Array(channel.outbound.readable)
    channel.release(from: engine.loop)
    do throws(GatewayError) {
      let stream = try http2.adopt(engine, descriptor, tls)
      channel = Channel(stream: stream, isWritable: true, pool: engine.pool)
      stream.attach(self)
      guard request.withUnsafeBytes({ channel.send($0) }) else { throw .connectionTerminated }
      return true
    } catch {
      fail(error)
      return false
    }
  }

  /// Whether what came was TLS's own, such as a ticket for the next session.
  private func bringsNothing() -> Bool {
    guard channel.tls != nil, case .nothingYet = channel.receive(into: engine.scratch) else { return false }
    return true
  }

  func timeOut() {
    guard let exchange else { return close() }
    if isConnecting { return fail(.connectionTimeout) }
    if isHeld { return release() }
    // Waiting for a slow client is not the upstream's fault; the client has a deadline of its own.
    guard exchange.clientTakesMore else {
      deadline = engine.deadline(after: server.waits.idle)
      return
    }
    fail(.responseTimeout)
  }

  // MARK: Receiving

  /// Reads and forwards as long as there is something and the client takes it.
  func pump() {
    guard !isPumping else { return }
    // Without counting a reference: the exchange outlives the turn.
    exchangeReference?._withUnsafeGuaranteedRef { exchange in
      isPumping = true
      receive(exchange)
      isPumping = false
      // The response may have ended: the client's next request waits perhaps. Only now is the scratch buffer free.
      if !isCarrying { exchange.withClient { $0.pump() } }
    }
  }

  private func receive(_ exchange: Exchange) {
    var receptions = 0
    while channel.isReadable, isCarrying, !isHeld, exchange.clientTakesMore {
      guard receptions < engine.limits.receptionsPerTurn else {
        return engine.loop.inNextTurn { [self] in if isCarrying { pump() } }
      }
      receptions += 1
      switch channel.receive(into: engine.scratch) {
      case .bytes(let count):
        deadline = engine.deadline(after: hasHead ? server.waits.idle : server.waits.responseHead)
        take(UnsafeRawBufferPointer(rebasing: engine.scratch[..<count]), exchange)
      case .nothingYet: return
      case .end: return ended()
      case .failed: return fail(hasHead ? .responseIncomplete : .connectionTerminated)
      }
    }
  }

  // MARK: Holding

  /// Nothing is read from now on until `release`, or the connection is closed.
  ///
  /// - Returns: names this hold.
  func hold() -> Int {
    isHeld = true
    holdCount += 1
    deadline = engine.deadline(after: engine.waits.decision)
    return holdCount
  }

  func isHeld(_ hold: Int) -> Bool { isHeld && hold == holdCount }

  /// What was held goes on to the client.
  func release() {
    isHeld = false
    scanner.reset()
    deadline = engine.deadline(after: server.waits.responseHead)
    exchangeReference?._withUnsafeGuaranteedRef { exchange in
      isPumping = true
      let used = process(channel.inbound.readable.octets.span, exchange)
      if isCarrying { channel.inbound.consume(used) }
      isPumping = false
      if isCarrying { pump() } else { exchange.withClient { $0.pump() } }
    }
  }

  // MARK: Ends

  private func ended() {
    guard let exchange else { return close() }
    if hasHead, body.endsWithConnection { return finish(exchange, leavesBytes: true) }
    fail(hasHead ? .responseIncomplete : .connectionTerminated)
  }

  /// The response is complete: the connection waits for the next request if nothing speaks against it.
  func finish(_ exchange: Exchange, leavesBytes: Bool) {
    exchangeReference = nil
    let isReusable = !channel.isCarried && scanner.head.isPersistent && body.isComplete && !leavesBytes && exchange.isRequestSent
      && channel.outbound.isEmpty && channel.inbound.isEmpty && !channel.isPeerClosed && !channel.hasPendingInput
    if isReusable, server.keep(self, limit: engine.limits.idleUpstreamConnections) {
      isIdle = true
      deadline = engine.deadline(after: engine.waits.idleUpstream)
    } else {
      close()
    }
    server.end(at: engine.loop.now)
    exchange.isComplete()
  }

  /// The stream is gone without a whole response.
  ///
  /// - Parameter isUnprocessed: whether the server says that it has not looked at the request.
  func fail(_ error: GatewayError, isUnprocessed: Bool) {
    self.isUnprocessed = isUnprocessed
    fail(hasHead ? .responseIncomplete : error)
  }

  func fail(_ error: GatewayError) {
    let exchange = exchange
    exchangeReference = nil
    close()
    exchange?.upstreamFailed(error, self)
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    isHeld = false
    if isIdle { server.remove(self) }
    isIdle = false
    exchangeReference = nil
    channel.close(on: engine.loop)
    engine.remove(self)
  }
}

extension TLSFailure {
  var asGatewayError: GatewayError {
    switch self {
    case .certificate: .tlsCertificateError
    case .connectionLost: .connectionTerminated
    case .protocolError, .file: .tlsProtocolError
    }
  }
}
