import EventLoop
import HTTPWire

/// A client connection that speaks HTTP/2. Carries its streams to and from the engine, where each is the connection of an
/// HTTP/1.1 client with one request, so that every rule about requests and responses exists once.
///
/// Deadlines: this side looks after the connection as a whole (no request, half a field block, a client that takes
/// nothing); what a request may take is its `ClientConnection`'s to know.
final class HTTP2ClientConnection: ReadinessHandler, HTTP2SessionOwner {
  private enum Phase {
    /// Next: `ending`, `closed`.
    case open
    /// A drain was announced; the last stream is named at the next tick. Next: `ending`, `closed`.
    case draining
    /// No more streams are taken. Next: `closing`, `closed`.
    case ending
    /// Everything is out; what still comes is thrown away. Next: `closed`.
    case closing
    case closed
  }

  let engine: Engine
  let service: Engine.Service
  let peer: ClientPeer
  var position = 0
  private var phase = Phase.open
  private(set) var channel: Channel
  private let session: HTTP2Session
  private var budget: HTTP2FrameBudget

  private var streams: [Int32: HTTP2ClientStream] = [:]
  private var head: HTTP2RequestHead
  private var trailers = HTTP2TrailerSection()
  /// Streams whose owners are to be told something.
  private var due: [HTTP2ClientStream] = []
  private var isTurning = false
  private var isTurnAhead = false

  /// Without a stream, or before the first one.
  private var idleDeadline: Int64
  /// Of the field block that has begun.
  private var fieldsDeadline = Int64.max
  /// Since bytes wait for the socket.
  private var takingDeadline = Int64.max

  /// - Parameter tls: whose handshake is done; nil: clear text.
  init(
    _ engine: Engine, descriptor: Int32, tls: TLSSession?, peer: ClientPeer, service: Engine.Service
  ) throws(SystemCallError) {
    self.engine = engine
    self.service = service
    self.peer = peer
    channel = Channel(descriptor: descriptor, isWritable: true, tls: tls, pool: engine.pool)
    var settings = HTTP2Session.Settings()
    settings.concurrentStreams = engine.limits.request.http2StreamsMax
    settings.fieldBytes = engine.limits.request.fieldBytesMax
    session = HTTP2Session(.server, settings)
    budget = HTTP2FrameBudget(limits: engine.limits.http2Frames, hasPreface: true, now: engine.loop.now)
    head = HTTP2RequestHead(fieldBytesMax: engine.limits.request.fieldBytesMax)
    idleDeadline = engine.deadline(after: engine.waits.header)
    super.init()
    session.attach(to: self)
    do {
      try channel.register(on: engine.loop, handler: self)
    } catch {
      channel.close(on: engine.loop)
      throw error
    }
    // Done, and says so once more; without TLS the socket stands anyway.
    _ = channel.handshake()
  }

  /// Bytes for the socket, and those of streams.
  var waitingBytes: Int { streams.values.reduce(channel.outbound.count) { $0 + $1.waitingBytes } }

  // MARK: Events of the socket

  override func ready(_ readiness: Readiness, token: UInt32) {
    guard readiness.isDisjoint(with: [.hangUp, .error]) else { return close() }
    if channel.note(readiness) {
      guard flushSocket() else { return close() }
    }
    pump()
  }

  /// Takes what has come before the connection was known to speak HTTP/2.
  func begin(_ received: [UInt8]) {
    received.withUnsafeBytes { take($0) }
    pump()
    if engine.hasClosedDoors { drain() }
  }

  private func pump() {
    var receptions = 0
    while channel.isReadable, takesInput {
      guard receptions < engine.limits.receptionsPerTurn else {
        engine.loop.inNextTurn { [self] in pump() }
        break
      }
      receptions += 1
      switch channel.receive(into: engine.scratch) {
      case .bytes(let count): take(UnsafeRawBufferPointer(rebasing: engine.scratch[..<count]))
      case .nothingYet: break
      case .end, .failed: return close()
      }
    }
    turn()
  }

  private var takesInput: Bool {
    switch phase {
    // Whoever asks without taking the answers is not listened to.
    case .open, .draining, .ending: channel.outbound.count <= engine.limits.highWatermark
    case .closing: true
    case .closed: false
    }
  }

  private func take(_ received: UnsafeRawBufferPointer) {
    guard phase != .closing, phase != .closed else { return }
    guard budget.take(received.octets.span, at: engine.loop.now) else { return end(.enhanceYourCalm) }
    if !session.receive(received) { end(.protocolError) }
    // The reception's memory is free now: whoever is told may use it.
    deliver()
  }

  // MARK: Turns

  /// Something is to be sent; called within others' steps, so it waits for the end of the turn.
  func mustFlush() {
    guard !isTurning, !isTurnAhead, phase != .closed else { return }
    isTurnAhead = true
    engine.loop.atEndOfTurn { [self] in
      isTurnAhead = false
      turn()
    }
  }

  func isDue(_ stream: HTTP2ClientStream) {
    guard !stream.isDue else { return }
    stream.isDue = true
    due.append(stream)
    mustFlush()
  }

  /// Tells owners of streams what happened to them and sends what they wrote, until neither leads to the other.
  private func turn() {
    guard !isTurning, phase != .closed else { return }
    isTurning = true
    repeat {
      deliver()
      guard phase != .closed, send() else { break }
    } while !due.isEmpty
    isTurning = false
    endIfDone()
  }

  private func deliver() {
    var index = 0
    while index < due.count {
      let stream = due[index]
      index += 1
      stream.isDue = false
      stream.deliver()
    }
    due.removeAll(keepingCapacity: true)
  }

  /// Sends what the session has, as long as the socket takes it.
  ///
  /// - Returns: false when the connection is closed.
  private func send() -> Bool {
    while channel.outbound.count <= engine.limits.lowWatermark {
      engine.outgoing.clearKeepingMemory()
      while engine.outgoing.count < HTTP2ClientConnection.outputBytes, let bytes = session.nextOutput() {
        engine.outgoing.append(bytes)
      }
      guard !engine.outgoing.isEmpty else { break }
      guard channel.send(engine.outgoing.readable) else {
        close()
        return false
      }
    }
    if channel.outbound.isEmpty {
      takingDeadline = .max
    } else if takingDeadline == .max {
      takingDeadline = engine.deadline(after: engine.waits.idle)
    }
    return true
  }

  /// Bytes that are gathered for one system call.
  private static let outputBytes = 64 << 10

  private func flushSocket() -> Bool {
    let waited = channel.outbound.count
    guard channel.flush() else { return false }
    // Every sip must not count, as in HTTP/1.1.
    if waited > engine.limits.lowWatermark, channel.outbound.count <= engine.limits.lowWatermark {
      takingDeadline = engine.deadline(after: engine.waits.idle)
    }
    return true
  }

  // MARK: What streams ask for

  func submit(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, hasContent: Bool, on stream: Int32) {
    _ = session.submit(head, bytes, hasContent: hasContent, on: stream)
  }

  func resume(_ stream: Int32) { session.resume(stream) }

  func acknowledge(_ count: Int, on stream: Int32) {
    session.acknowledge(count, on: stream)
    mustFlush()
  }

  func reset(_ stream: HTTP2ClientStream, _ error: HTTP2ErrorCode) {
    session.reset(stream.id, error)
    mustFlush()
  }

  // MARK: What the session tells

  func fieldsBegan(on stream: Int32) {
    fieldsDeadline = engine.deadline(after: engine.waits.header)
    if streams[stream] == nil { head.reset() } else { trailers.reset() }
  }

  func fieldCame(on stream: Int32, name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    if streams[stream] == nil {
      try head.take(name: name, value: value)
    } else {
      try trailers.take(name: name, value: value)
    }
  }

  func fieldsEnded(on stream: Int32, endsStream: Bool) throws(HTTP2ErrorCode) {
    fieldsDeadline = .max
    if let known = streams[stream] { return try known.endInput(trailers: trailers.lines) }
    let framing = try head.finish(endsStream: endsStream)
    guard phase == .open || phase == .draining, engine.mayCarry(for: peer) else { throw .refusedStream }
    let carried = HTTP2ClientStream(stream, on: self, head: head, framing)
    streams[stream] = carried
    idleDeadline = .max
    carried.attach(engine.carry(carried, for: self))
  }

  func contentCame(on stream: Int32, _ bytes: Span<UInt8>) throws(HTTP2ErrorCode) {
    guard let known = streams[stream] else { return session.acknowledge(bytes.count, on: stream) }
    try known.take(bytes)
  }

  func inputEnded(on stream: Int32) throws(HTTP2ErrorCode) { try streams[stream]?.endInput(trailers: []) }

  func content(for stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> HTTP2Content {
    streams[stream]?.fill(buffer) ?? .none
  }

  func endWasSent(on stream: Int32) { streams[stream]?.endWasSent() }

  func streamClosed(_ stream: Int32, _ error: HTTP2ErrorCode) {
    if error != .noError, !budget.noteReset(at: engine.loop.now) { session.end(.enhanceYourCalm) }
    streams.removeValue(forKey: stream)?.wentAway()
    if streams.isEmpty { idleDeadline = engine.deadline(after: engine.waits.idle) }
  }

  func goAwayCame(last: Int32) {}

  func settingsCame() {
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
    for stream in Array(streams.values) where stream.deadline <= now { session.reset(stream.id, .cancel) }
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

  private func endIfDone() {
    let isDone = session.isFinished || phase == .ending && streams.isEmpty
    guard isDone, phase != .closing, phase != .closed, channel.outbound.isEmpty else { return }
    abandonStreams()
    phase = .closing
    // What is still on its way would make the kernel reset the connection, and the reset could overtake our last words.
    idleDeadline = engine.deadline(after: engine.waits.linger)
    channel.endSending()
  }

  private func abandonStreams() {
    let left = streams
    streams = [:]
    for stream in left.values { stream.wentAway() }
    deliver()
  }

  func close() {
    guard phase != .closed else { return }
    phase = .closed
    abandonStreams()
    channel.close(on: engine.loop)
    engine.remove(self)
  }
}
