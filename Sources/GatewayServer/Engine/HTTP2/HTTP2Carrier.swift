import EventLoop
import HTTPWire

/// A connection that speaks HTTP/2 and carries its streams to and from the engine: the socket, the session, and the order
/// in which both and the streams are served. Subclasses know which side we are on.
class HTTP2Carrier: ReadinessHandler, HTTP2SessionOwner {
  final let engine: Engine
  final var channel: Channel
  final let session: HTTP2Session
  final var streams: [Int32: HTTP2Stream] = [:]
  /// Streams whose readers and writers are to be told something.
  private var due: [HTTP2Stream] = []
  private var isTurning = false
  private var isTurnAhead = false
  /// When bytes that wait for the socket are given up.
  final private(set) var takingDeadline = Int64.max

  init(_ engine: Engine, _ channel: consuming Channel, _ session: HTTP2Session) {
    self.engine = engine
    self.channel = channel
    self.session = session
    super.init()
    session.attach(to: self)
  }

  // MARK: For subclasses

  /// Whether anything may still be read or written.
  var isStanding: Bool { false }
  /// Whether bytes of the peer are wanted now.
  var takesInput: Bool { false }
  /// Looks at received bytes first.
  ///
  /// - Returns: false when they are not to be taken.
  func mayTake(_ bytes: Span<UInt8>) -> Bool { true }
  /// The session cannot go on after what came.
  func sessionFailed() {}
  /// Everything that is to be done now is done.
  func turnEnded() {}
  /// The connection is broken.
  func lost() {}

  /// Bytes for the socket, and those of streams.
  final var waitingBytes: Int { streams.values.reduce(channel.outbound.count) { $0 + $1.waitingBytes } }

  // MARK: The socket

  final func socketIsReady(_ readiness: Readiness) {
    guard readiness.isDisjoint(with: [.hangUp, .error]) else { return lost() }
    if channel.note(readiness) {
      guard flush() else { return lost() }
    }
    pump()
  }

  final func pump() {
    var receptions = 0
    while channel.isReadable, takesInput {
      guard receptions < engine.limits.receptionsPerTurn else {
        engine.loop.inNextTurn { [self] in if isStanding { pump() } }
        break
      }
      receptions += 1
      switch channel.receive(into: engine.scratch) {
      case .bytes(let count): take(UnsafeRawBufferPointer(rebasing: engine.scratch[..<count]))
      case .nothingYet: break
      case .end, .failed: return lost()
      }
    }
    turn()
  }

  final func take(_ received: UnsafeRawBufferPointer) {
    guard mayTake(received.octets.span) else { return }
    if !session.receive(received) { sessionFailed() }
    // The reception's memory is free now: whoever is told may use it.
    deliver()
  }

  private func flush() -> Bool {
    let waited = channel.outbound.count
    guard channel.flush() else { return false }
    // Every sip must not count, as in HTTP/1.1.
    if waited > engine.limits.lowWatermark, channel.outbound.count <= engine.limits.lowWatermark {
      takingDeadline = engine.deadline(after: engine.waits.idle)
    }
    return true
  }

  // MARK: Turns

  /// Something is to be sent or told; asked for within others' steps, so it waits for the end of the turn.
  final func mustFlush() {
    guard !isTurning, !isTurnAhead, isStanding else { return }
    isTurnAhead = true
    engine.loop.atEndOfTurn { [self] in
      isTurnAhead = false
      turn()
    }
  }

  final func isDue(_ stream: HTTP2Stream) {
    due.append(stream)
    mustFlush()
  }

  /// Tells streams what happened and sends what they wrote, until neither leads to the other.
  final func turn() {
    guard !isTurning, isStanding else { return }
    isTurning = true
    repeat {
      deliver()
      guard isStanding, send() else { break }
    } while !due.isEmpty
    isTurning = false
    if isStanding { turnEnded() }
  }

  final func deliver() {
    var index = 0
    while index < due.count {
      due[index].deliver()
      index += 1
    }
    due.removeAll(keepingCapacity: true)
  }

  /// Bytes that are gathered for one system call.
  private static let outputBytes = 64 << 10

  /// Sends what the session has, as long as the socket takes it.
  ///
  /// - Returns: false when the connection is broken.
  private func send() -> Bool {
    while channel.outbound.count <= engine.limits.lowWatermark {
      engine.outgoing.clearKeepingMemory()
      while engine.outgoing.count < HTTP2Carrier.outputBytes, let bytes = session.nextOutput() {
        engine.outgoing.append(bytes)
      }
      guard !engine.outgoing.isEmpty else { break }
      guard channel.send(engine.outgoing.readable) else {
        lost()
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

  /// Tells every stream that it is gone.
  final func abandonStreams() {
    let left = streams
    streams = [:]
    for stream in left.values { stream.wentAway(.cancel) }
    deliver()
  }

  // MARK: What streams ask for

  final func resume(_ stream: Int32) { session.resume(stream) }

  final func acknowledge(_ count: Int, on stream: Int32) {
    guard count > 0, isStanding else { return }
    session.acknowledge(count, on: stream)
    mustFlush()
  }

  final func reset(_ stream: HTTP2Stream, _ error: HTTP2ErrorCode) {
    session.reset(stream.id, error)
    mustFlush()
  }

  // MARK: What the session tells

  func fieldsBegan(on stream: Int32) {}
  func fieldCame(on stream: Int32, name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {}
  func fieldsEnded(on stream: Int32, endsStream: Bool) throws(HTTP2ErrorCode) {}
  func streamClosed(_ stream: Int32, _ error: HTTP2ErrorCode) {}
  func goAwayCame() {}
  func settingsCame() {}

  final func contentCame(on stream: Int32, _ bytes: Span<UInt8>) throws(HTTP2ErrorCode) {
    guard let known = streams[stream] else { return acknowledge(bytes.count, on: stream) }
    try known.take(bytes)
  }

  final func inputEnded(on stream: Int32) throws(HTTP2ErrorCode) { try streams[stream]?.endInput(trailers: []) }

  final func content(for stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> HTTP2Content {
    streams[stream]?.fill(buffer) ?? .none
  }

  final func endWasSent(on stream: Int32) { streams[stream]?.endWasSent() }
}
