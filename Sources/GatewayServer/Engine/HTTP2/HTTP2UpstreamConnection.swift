import EventLoop
import HTTPWire
import ReverseProxy

/// A connection to an upstream server that speaks HTTP/2. To the engine each of its streams is a connection of HTTP/1.1.
final class HTTP2UpstreamConnection: HTTP2Carrier, RosterMember {
  private enum Phase {
    /// Until the socket stands, with TLS where the origin has it. Next: `open`, `closed`.
    case connecting
    /// Next: `ending`, `closed`.
    case open
    /// No more streams are begun. Next: `closed`.
    case ending
    case closed
  }

  let server: UpstreamServer
  private let pool: HTTP2UpstreamPool
  var position = 0
  private var phase: Phase
  private var head: HTTP2ResponseHead
  private var trailers = HTTP2TrailerSection()
  /// Streams whose requests have not been written yet.
  private var waiting: [HTTP2UpstreamStream] = []
  /// Streams so far.
  private(set) var streamCount = 0
  /// Whether the server has said how it wants the connection to be used. Source: RFC 9113 §3.4.
  private(set) var hasSettings = false
  /// To stand, or for the next stream.
  private(set) var deadline: Int64

  /// - Parameters:
  ///   - isConnected: whether the socket stands.
  ///   - isSecured: whether the handshake of `tls` is done.
  init(
    _ engine: Engine, _ server: UpstreamServer, in pool: HTTP2UpstreamPool, descriptor: Int32, isConnected: Bool,
    tls: TLSSession?, isSecured: Bool
  ) throws(SystemCallError) {
    self.server = server
    self.pool = pool
    let stands = isConnected && (tls == nil || isSecured)
    phase = stands ? .open : .connecting
    head = HTTP2ResponseHead(fieldBytesMax: engine.limits.request.responseFieldBytesMax)
    deadline = engine.deadline(after: stands ? engine.waits.idleUpstream : server.waits.connect)
    var settings = HTTP2Session.Settings()
    settings.fieldBytes = engine.limits.request.responseFieldBytesMax
    super.init(
      engine, Channel(descriptor: descriptor, isWritable: isConnected, tls: tls, pool: engine.pool),
      HTTP2Session(.client, settings))
    do {
      try channel.register(on: engine.loop, handler: self)
    } catch {
      channel.close(on: engine.loop)
      throw error
    }
    if isSecured { _ = channel.handshake() }
  }

  var isOpen: Bool { phase == .open }

  /// Streams under way and those that will be.
  var load: Int { streams.count + waiting.count }

  /// Whether one more stream is within what the server allows.
  var hasRoom: Bool { (phase == .open || phase == .connecting) && load < session.peerStreamsMax }

  // MARK: Streams

  func makeStream() -> HTTP2UpstreamStream {
    let stream = HTTP2UpstreamStream(on: self)
    waiting.append(stream)
    streamCount += 1
    if phase == .open { deadline = .max }
    return stream
  }

  /// Sends a request head.
  ///
  /// - Returns: false when the connection takes no more.
  func begin(_ stream: HTTP2UpstreamStream, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, hasContent: Bool) -> Bool {
    guard phase == .open else { return false }
    guard
      let id = session.submit(
        head, bytes, scheme: server.origin.scheme.wireName, hasContent: hasContent, opensTunnel: stream.tunnel != nil)
    else { return false }
    stream.id = id
    streams[id] = stream
    waiting.removeAll { $0 === stream }
    return true
  }

  /// A stream is not used any more.
  func release(_ stream: HTTP2UpstreamStream) {
    if stream.id == 0 { waiting.removeAll { $0 === stream } }
    noteIdle()
  }

  private func noteIdle() {
    if load == 0, phase == .open { deadline = engine.deadline(after: engine.waits.idleUpstream) }
    if load == 0, phase == .ending || pool.isRetired { mustFlush() }
  }

  // MARK: Events of the socket

  override func ready(_ readiness: Readiness, token: UInt32) {
    if phase == .connecting {
      guard finishConnecting(readiness) else { return }
      phase = .open
      deadline = load == 0 ? engine.deadline(after: engine.waits.idleUpstream) : .max
      for stream in waiting { stream.note(.writable) }
    }
    socketIsReady(readiness)
  }

  private func finishConnecting(_ readiness: Readiness) -> Bool {
    let outcome = channel.finishConnecting(readiness)
    if let error = server.error(of: outcome, for: engine) {
      fail(error)
      return false
    }
    guard case .done = outcome else { return false }
    guard let tls = channel.tls, tls.applicationProtocol != .http2 else { return true }
    fail(pool.otherProtocolWasChosen())
    return false
  }

  override var isStanding: Bool { phase == .open || phase == .ending }

  override var takesInput: Bool { isStanding }

  override func sessionFailed() {
    session.end(.protocolError)
    phase = .ending
  }

  override func lost() { fail(.connectionTerminated) }

  override func turnEnded() {
    if session.isFinished || load == 0 && (phase == .ending || pool.isRetired) { fail(.connectionTerminated) }
  }

  // MARK: What the session tells

  override func fieldsBegan(on stream: Int32) {
    head.reset(webSocketAccept: (streams[stream] as? HTTP2UpstreamStream)?.tunnel?.accept)
    trailers.reset()
  }

  override func fieldCame(on stream: Int32, name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    guard let known = streams[stream] else { return }
    if known.input.hasBegun {
      try trailers.take(name: name, value: value)
    } else {
      try head.take(name: name, value: value)
    }
  }

  override func fieldsEnded(on stream: Int32, endsStream: Bool) throws(HTTP2ErrorCode) {
    guard let known = streams[stream] as? HTTP2UpstreamStream else { return }
    if known.input.hasBegun { return try known.endInput(trailers: trailers.lines) }
    let framing = try head.finish(answersHead: known.answersHead, endsStream: endsStream)
    known.takeHead(head, framing, endsStream: endsStream)
  }

  override func streamClosed(_ stream: Int32, _ error: HTTP2ErrorCode) {
    streams.removeValue(forKey: stream)?.wentAway(error)
    noteIdle()
  }

  override func settingsCame() {
    guard !hasSettings else { return }
    hasSettings = true
    for stream in waiting { stream.settingsCame() }
  }

  override func goAwayCame() {
    if phase == .open { phase = .ending }
    pool.remove(self)
    for stream in waiting { stream.fail(.connectionTerminated) }
  }

  // MARK: Ends

  func timeOut() { fail(phase == .connecting ? .connectionTimeout : .connectionTerminated) }

  /// Closes the connection; requests under way fail for this reason.
  func fail(_ error: GatewayError) {
    guard phase != .closed else { return }
    phase = .closed
    pool.remove(self)
    let left = waiting
    waiting = []
    for stream in left { stream.fail(error) }
    abandonStreams()
    channel.close(on: engine.loop)
    engine.remove(self)
  }
}

extension Origin.Scheme {
  /// As `:scheme` has it. Source: RFC 9113 §8.3.1.
  var wireName: StaticString {
    switch self {
    case .http: "http"
    case .https: "https"
    }
  }
}
