import EventLoop
import Glibc
import ReverseProxy

/// One server of an upstream as one loop sees it: where it is, the connections to it that wait for a request, and what its
/// answers say about it.
final class UpstreamServer {
  let key: ServerKey
  let timeouts: Upstream.Timeouts
  let tls: TLSClientContext?
  let applicationProtocol: Upstream.ApplicationProtocol
  /// nil: HTTP/1.1 only.
  private(set) var http2: HTTP2UpstreamPool?
  private let resumptions = TLSSessionCache()
  /// The same in nanoseconds.
  let waits: (connect: Int64, responseHead: Int64, idle: Int64)
  /// `Host: …` with its line end.
  let hostLine: [UInt8]
  fileprivate var nextReport = Int64.min
  /// Used last first: what was used last is the least likely to be closed by the server meanwhile.
  // SAFETY: the engine holds every connection until it is closed, and closing takes it out of here.
  // Nothing that touches it leads back here: the run-time check showed in the profile.
  @exclusivity(unchecked) private var idle: [Unmanaged<UpstreamConnection>] = []
  /// No snapshot has it any more: its connections are not kept.
  private var isRetired = false

  // Touched by every request, one after the other, as above.
  /// Requests at the server now.
  @exclusivity(unchecked) private(set) var underWay = 0
  /// Tries, further ones among them.
  @exclusivity(unchecked) private(set) var tryCount: UInt64 = 0
  /// Whether the begin, the answer or the end of a request may change something.
  @exclusivity(unchecked) private(set) var isAttended = false
  private(set) var failureCount: UInt64 = 0
  private(set) var ejectionCount: UInt64 = 0
  private(set) var circuit = ServerCircuit()
  /// By the word of health checks.
  var isHealthy = true
  private var isLimited = false
  // SAFETY: whoever lets go of a group retires its servers first, and they forget it then.
  private unowned(unsafe) var group: UpstreamGroup?
  /// Its bit in the set of servers that a request has tried. The upstreams with more than 64 servers that exist can live
  /// with a server that is tried twice.
  private(set) var bit: UInt64 = 0

  init(
    _ key: ServerKey, timeouts: Upstream.Timeouts, tls: TLSClientContext?, speaking applicationProtocol: Upstream.ApplicationProtocol
  ) {
    self.applicationProtocol = applicationProtocol
    self.key = key
    self.timeouts = timeouts
    self.tls = tls
    waits = (timeouts.connect.nanoseconds, timeouts.responseHead.nanoseconds, timeouts.idle.nanoseconds)
    hostLine = Array("Host: \(key.origin.authority)\r\n".utf8)
    if applicationProtocol != .http1 { http2 = HTTP2UpstreamPool(of: self) }
  }

  var origin: Origin { key.origin }

  // MARK: Connections

  func takeIdle() -> Unmanaged<UpstreamConnection>? { idle.popLast() }

  /// - Returns: false when enough connections wait already.
  func keep(_ connection: UpstreamConnection, limit: Int) -> Bool {
    guard idle.count < limit, !isRetired else { return false }
    connection.idlePosition = idle.count
    idle.append(.passUnretained(connection))
    return true
  }

  func remove(_ connection: UpstreamConnection) {
    let position = connection.idlePosition
    guard position < idle.count, idle[position].toOpaque() == Unmanaged.passUnretained(connection).toOpaque() else { return }
    // The last one moves into the gap: when thousands end at once, none has to be looked for.
    let last = idle.removeLast()
    guard position < idle.count else { return }
    idle[position] = last
    last._withUnsafeGuaranteedRef { $0.idlePosition = position }
  }

  /// Starts a connection.
  func connect(_ engine: Engine) throws(GatewayError) -> UpstreamConnection {
    if let http2, http2.isInUse { return UpstreamConnection(engine, self, stream: try http2.makeStream(engine)) }
    let (descriptor, isConnected, session) = try makeSocket()
    guard
      let connection = try? UpstreamConnection(
        engine, self, descriptor: descriptor, isConnected: isConnected, tls: session)
    else { throw .connectionRefused }
    return connection
  }

  func makeSocket() throws(GatewayError) -> (descriptor: Int32, isConnected: Bool, tls: TLSSession?) {
    guard let (descriptor, isConnected) = try? Socket.connect(to: key.address) else { throw .connectionRefused }
    return (descriptor, isConnected, try session(on: descriptor))
  }

  private func session(on descriptor: Int32) throws(GatewayError) -> TLSSession? {
    guard origin.scheme == .https else { return nil }
    let offered = applicationProtocol.offered
    guard let session = try? tls?.session(on: descriptor, to: origin.host, offering: offered, resuming: resumptions) else {
      close(descriptor)
      throw .tlsProtocolError
    }
    return session
  }
}

extension UpstreamServer {
  // MARK: What is found out

  /// A request goes to the server; `end` follows.
  @inline(__always)
  func begin(at now: Int64) {
    underWay &+= 1
    tryCount &+= 1
    if isAttended { circuit.begin(at: now) }
  }

  @inline(__always)
  func end(at now: Int64) {
    underWay &-= 1
    if isAttended { endAttended(at: now) }
  }

  private func endAttended(at now: Int64) {
    circuit.end(at: now)
    if isLimited { group?.hasRoom() }
  }

  func succeed(at now: Int64) {
    let wasEjected = circuit.isEjected
    circuit.succeed(at: now)
    if wasEjected { group?.isReadmitted(self) }
    isAttended = isLimited
  }

  func fail(at now: Int64) {
    failureCount &+= 1
    guard let group else { return }
    let wasEjected = circuit.isEjected
    let isEjected = circuit.fail(at: now, rule: group.upstream.ejection, mayEject: group.mayEjectOneMore)
    isAttended = true
    guard isEjected else { return }
    ejectionCount &+= 1
    if !wasEjected { group.isEjected(self) }
  }

  func isAdmitting(at now: Int64) -> Bool {
    switch circuit.admission(at: now) {
    case .admitted, .trial: true
    case .refused: false
    }
  }

  // MARK: Snapshots

  /// Takes over what was found out about the same server.
  func inherit(_ other: UpstreamServer) {
    circuit = other.circuit
    isHealthy = other.isHealthy
    tryCount = other.tryCount
    failureCount = other.failureCount
    ejectionCount = other.ejectionCount
    // A trial that the other one has under way tells nothing here.
    circuit.end(at: .min)
  }

  func join(_ group: UpstreamGroup, at position: Int, isLimited: Bool) {
    self.group = group
    self.isLimited = isLimited
    bit = position < UInt64.bitWidth ? 1 << UInt64(position) : 0
    isAttended = isLimited || !circuit.isFlawless
    if group.upstream.health == nil { isHealthy = true }
  }

  /// No snapshot has it any more.
  func retire() {
    isRetired = true
    group = nil
    http2?.retire()
    while let connection = takeIdle() { connection.takeUnretainedValue().close() }
  }

  /// Why a connection to it will never stand; nil: it does, or may yet. A failure of TLS is also told to the log.
  func error(of connecting: Channel.Connecting, for engine: Engine) -> GatewayError? {
    switch connecting {
    case .done, .pending: return nil
    case .refused: return .connectionRefused
    case .failed(let failure):
      report(failure, to: engine)
      return failure.asGatewayError
    }
  }

  // MARK: The log

  /// Tells why no session could be made, now and then: under load it is always the same reason.
  func report(_ failure: TLSFailure, to engine: Engine) {
    guard engine.loop.now >= nextReport else { return }
    nextReport = engine.deadline(after: Self.reportInterval.nanoseconds)
    engine.report(failure, of: origin)
  }

  private static let reportInterval: Duration = .seconds(60)
}

extension Upstream.ApplicationProtocol {
  /// By ALPN, the preferred one first.
  var offered: [ApplicationProtocol] {
    switch self {
    case .http1: [.http11]
    case .http2: [.http2]
    case .negotiated: [.http2, .http11]
    }
  }
}
