import Cryptography
import EventLoop
import HTTPWire

/// A client connection that speaks HTTP/2. To the engine each of its streams is the connection of an HTTP/1.1 client with
/// one request, so that every rule about requests and responses exists once.
///
/// Deadlines: this side looks after the connection as a whole (no request, half a field block, a client that takes
/// nothing); what a request may take is its `ClientConnection`'s to know.
final class HTTP2ClientConnection: HTTP2Carrier, RosterMember {
  private enum Phase {
    /// Next: `draining`, `ending`, `closed`.
    case open
    /// The end was announced; the last stream is named at the next tick. Next: `ending`, `closed`.
    case draining
    /// No more streams are taken. Next: `closing`, `closed`.
    case ending
    /// Everything is out; what still comes is thrown away. Next: `closed`.
    case closing
    case closed
  }

  let service: Engine.Service
  let peer: ClientPeer
  var position = 0
  private var phase = Phase.open
  private var budget: HTTP2FrameBudget
  private var head: HTTP2RequestHead
  private var trailers = HTTP2TrailerSection()
  /// Without a stream, or before the first one.
  private var idleDeadline: Int64
  /// Of the field block that has begun, and whose it is.
  private var fieldsDeadline = Int64.max
  private var fieldsStream: Int32 = 0

  /// - Parameter tls: whose handshake is done; nil: clear text.
  init(
    _ engine: Engine, descriptor: Int32, tls: TLSSession?, peer: ClientPeer, service: Engine.Service
  ) throws(SystemCallError) {
    self.service = service
    self.peer = peer
    let limits = engine.limits.request
    budget = HTTP2FrameBudget(limits: engine.limits.http2Frames, hasPreface: true, now: engine.loop.now)
    head = HTTP2RequestHead(fieldBytesMax: limits.fieldBytesMax)
    idleDeadline = engine.deadline(after: engine.waits.header)
    var settings = HTTP2Session.Settings()
    settings.concurrentStreams = limits.http2StreamsMax
    settings.fieldBytes = limits.fieldBytesMax
    super.init(
      engine, Channel(descriptor: descriptor, isWritable: true, tls: tls, pool: engine.pool), HTTP2Session(.server, settings))
    do {
      try channel.register(on: engine.loop, handler: self)
    } catch {
      channel.close(on: engine.loop)
      throw error
    }
    // Done, and says so once more; without TLS the socket stands anyway.
    _ = channel.handshake()
  }

  // MARK: Events of the socket

  override func ready(_ readiness: Readiness, token: UInt32) { socketIsReady(readiness) }

  /// Takes what has come before the connection was known to speak HTTP/2.
  func begin(_ received: [UInt8]) {
    received.withUnsafeBytes { take($0) }
    pump()
    if engine.hasClosedDoors { drain() }
  }

  override var isStanding: Bool { phase != .closed }

  override var takesInput: Bool {
    switch phase {
    // Whoever asks without taking the answers is not listened to.
    case .open, .draining, .ending: channel.outbound.count <= engine.limits.highWatermark
    case .closing: true
    case .closed: false
    }
  }

  override func mayTake(_ bytes: Span<UInt8>) -> Bool {
    guard phase != .closing, phase != .closed else { return false }
    guard budget.take(bytes, at: engine.loop.now) else {
      end(.enhanceYourCalm)
      return false
    }
    return true
  }

  override func sessionFailed() { end(.protocolError) }

  override func lost() { close() }

  // MARK: What the session tells

  override func fieldsBegan(on stream: Int32) {
    fieldsDeadline = engine.deadline(after: engine.waits.header)
    fieldsStream = stream
    if streams[stream] == nil { head.reset() } else { trailers.reset() }
  }

  override func fieldCame(on stream: Int32, name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    if streams[stream] == nil {
      try head.take(name: name, value: value)
    } else {
      try trailers.take(name: name, value: value)
    }
  }

  override func fieldsEnded(on stream: Int32, endsStream: Bool) throws(HTTP2ErrorCode) {
    fieldsDeadline = .max
    if let known = streams[stream] { return try known.endInput(trailers: trailers.lines) }
    let framing = try head.finish(endsStream: endsStream, webSocketKey: { Base64.encode(SystemRandom().bytes(16)) })
    guard phase == .open || phase == .draining, engine.mayCarry(for: peer) else { throw .refusedStream }
    let carried = HTTP2ClientStream(stream, on: self, head: head, framing, endsStream: endsStream)
    streams[stream] = carried
    idleDeadline = .max
    carried.attach(engine.carry(carried, for: self))
  }

  override func streamClosed(_ stream: Int32, _ error: HTTP2ErrorCode) {
    if error != .noError, !budget.noteReset(at: engine.loop.now) { session.end(.enhanceYourCalm) }
    if stream == fieldsStream { fieldsDeadline = .max }
    streams.removeValue(forKey: stream)?.wentAway(error)
    if streams.isEmpty { idleDeadline = engine.deadline(after: engine.waits.idle) }
  }

  override func settingsCame() {
    if streams.isEmpty { idleDeadline = engine.deadline(after: engine.waits.idle) }
  }

  // MARK: Ends

  /// Once a second.
  func tick(at now: Int64) {
    switch phase {
    case .closed: return
    case .draining: refuseStreams()
    case .open, .ending, .closing: break
    }
    guard takingDeadline > now else { return close() }
    if fieldsDeadline <= now || idleDeadline <= now {
      guard phase != .closing else { return close() }
      return end(.noError)
    }
    for case let stream as HTTP2ClientStream in Array(streams.values) where stream.deadline <= now {
      session.reset(stream.id, .cancel)
    }
    turn()
  }

  /// Ends the session with everything under way, and tells the client why.
  private func end(_ error: HTTP2ErrorCode) {
    guard phase != .closing, phase != .closed else { return }
    phase = .ending
    session.end(error)
    turn()
  }

  /// Takes no more requests; those under way end as they would have.
  ///
  /// Source: RFC 9113 §6.8: first without a last stream, since requests are on their way that nobody has refused.
  func drain() {
    guard phase == .open else { return }
    guard !streams.isEmpty else { return refuseStreams() }
    phase = .draining
    session.announceEnd()
    turn()
  }

  private func refuseStreams() {
    phase = .ending
    session.refuseStreams()
    turn()
  }

  override func turnEnded() {
    let isDone = session.isFinished || phase == .ending && streams.isEmpty
    guard isDone, phase != .closing, channel.outbound.isEmpty else { return }
    abandonStreams()
    phase = .closing
    // What is still on its way would make the kernel reset the connection, and the reset could overtake our last words.
    fieldsDeadline = .max
    idleDeadline = engine.deadline(after: engine.waits.linger)
    channel.endSending()
  }

  func close() {
    guard phase != .closed else { return }
    phase = .closed
    abandonStreams()
    channel.close(on: engine.loop)
    engine.remove(self)
  }
}
