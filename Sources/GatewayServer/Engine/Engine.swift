import Broker
import CLinux
import Cryptography
import EventLoop
import Glibc
import HTTPWire
import NetworkAddress
import OAuthCore
import ReverseProxy

/// The data plane of one loop: its listeners, its client and upstream connections, what it remembers. Shares nothing with
/// other loops, so that a request is served without a lock and without leaving its thread.
///
/// Life of a request: `ClientConnection` reads the head, finds the endpoint or route and the credential, an `Exchange`
/// carries it to an `UpstreamConnection` and the response back.
public final class Engine: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  /// Takes the failure of a TLS session with an upstream's server; called on a loop, and must not block it.
  public typealias TLSFailureSink = @Sendable (_ server: Origin, _ failure: TLSFailure) -> Void

  public let loop: EventLoop
  @exclusivity(unchecked) private(set) var limits: EngineLimits
  @exclusivity(unchecked) private(set) var waits: EngineWaits
  let verifier: any TokenVerifier
  private let freshness: any Freshness
  private var freshnessSeen: (at: Int64, isFresh: Bool) = (.min, false)
  private let credentials: LoopCredentials
  private let foreign: ForeignSources?
  private(set) var endpoints: EndpointTable
  private(set) var trustedProxies: TrustedProxies
  let via: ViaField
  let pool = BufferPool()
  let verification: VerificationCache
  /// What is remembered of browser sessions, by the cookie's digest: apart from tokens, so that neither passes as the other.
  let sessions: VerificationCache
  /// nil: no route takes them.
  private(set) var sessionAccess: SessionAccess?

  // What is touched by every step of a request, one step after the other, goes without the run-time check of exclusive
  // access, which showed in the profile. No access spans a call that leads to another.
  @exclusivity(unchecked) public private(set) var counters = EngineCounters()
  @exclusivity(unchecked) private(set) var requestID: RequestID
  @exclusivity(unchecked) var logClock = LogClock()
  /// Where heads are written together with what follows them.
  @exclusivity(unchecked) var outgoing: ByteQueue
  private var routes: LoopRoutes
  @exclusivity(unchecked) private var routesReference: Unmanaged<LoopRoutes>
  /// Whether each response is the last of its connection.
  private(set) var isDraining = false
  private(set) var hasClosedDoors = false
  private(set) var date = DateField()
  /// Where receptions land before they are looked at.
  let scratch: UnsafeMutableRawBufferPointer
  /// The beginning of it.
  let headScratch: UnsafeMutableRawBufferPointer
  @exclusivity(unchecked) private var accessLog: AccessLog?
  private let tlsFailed: TLSFailureSink?
  /// Takes servers that this loop leaves out from now on because of their answers; set before the first snapshot.
  var serverEjected: (@Sendable (_ server: ServerKey) -> Void)?

  private var listeners: [Listener] = []
  private(set) var clients = Roster<ClientConnection>()
  private var http2Clients = Roster<HTTP2ClientConnection>()
  private var streams: StreamWatch?
  private var sources = SourceCounts()
  private var upstreams = Roster<UpstreamConnection>()
  private var http2Upstreams = Roster<HTTP2UpstreamConnection>()
  private(set) var upstreamGroups: [String: UpstreamGroup] = [:]
  private var routeSerial: UInt64 = 0
  private var wallOffset: Int64 = 0
  private var drained: [() -> Void] = []
  private var hasStopped = false

  private static let noRoutes: RouteTable = {
    do { return try RouteTable([]) } catch { preconditionFailure("no routes conflict: \(error)") }
  }()

  /// To be called on `loop`.
  ///
  /// - Parameters:
  ///   - trustedProxies: whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
  ///   - via: how this deployment names itself to others, and knows requests that come back.
  ///   - accessLog: takes the request lines; nil: none are written.
  ///   - tlsFailed: takes what kept upstreams from being reached by TLS; callers only learn its kind.
  public init(
    loop: EventLoop, endpoints: EndpointTable, ports: Ports, limits: EngineLimits = EngineLimits(),
    trustedProxies: [AddressBlock] = [], via: ViaField = .none, random: any RandomSource = SystemRandom(), accessLog: AccessLog.Sink? = nil,
    tlsFailed: TLSFailureSink? = nil
  ) {
    loop.assertInLoop()
    self.loop = loop
    self.limits = limits
    routes = LoopRoutes(table: Engine.noRoutes, routes: [])
    routesReference = .passUnretained(routes)
    waits = EngineWaits(limits)
    verifier = ports.verifier
    freshness = ports.freshness
    credentials = LoopCredentials(ports, loop: loop, capacity: limits.connectionCredentials)
    foreign = ports.foreign
    self.endpoints = endpoints
    self.tlsFailed = tlsFailed
    self.trustedProxies = TrustedProxies(trustedProxies)
    self.via = via
    verification = VerificationCache(limits: limits)
    sessions = VerificationCache(limits: limits)
    requestID = RequestID(loop: random.words().0)
    scratch = .allocate(byteCount: limits.receptionBytes, alignment: 64)
    headScratch = UnsafeMutableRawBufferPointer(rebasing: scratch[..<limits.headReceptionBytes])
    outgoing = ByteQueue(pool: pool)
    outgoing.reserve(limits.receptionBytes + limits.headReceptionBytes)
    if let accessLog { self.accessLog = AccessLog(sink: accessLog, pool: pool) }
    streams = StreamWatch(
      self, verifier: ports.verifier, connections: ports.connections, patience: limits.streamDoubtTimeout)
    tick()
  }

  deinit { scratch.deallocate() }

  // MARK: What it serves

  /// Starts listening. Every loop's engine listens on the same addresses; the kernel spreads connections over them.
  ///
  /// - Parameter tls: nil: clear text.
  /// - Returns: the address, with the port that port 0 became.
  @discardableResult
  public func listen(
    on address: SocketAddress, serving service: Service = .gateway, tls: TLSAcceptor? = nil
  ) throws(SystemCallError) -> SocketAddress {
    loop.assertInLoop()
    let listener = try Listener(self, address, service, tls)
    listeners.append(listener)
    return listener.address
  }

  /// Serves another snapshot from the next request on.
  public func apply(_ snapshot: GatewaySnapshot) {
    loop.assertInLoop()
    var groups: [String: UpstreamGroup] = [:]
    var gone: [UpstreamServer] = upstreamGroups.filter { snapshot.upstreams[$0.key] == nil }.flatMap(\.value.servers)
    for (name, entry) in snapshot.upstreams {
      let group = upstreamGroups[name] ?? UpstreamGroup(entry.upstream, on: loop, ejected: serverEjected)
      gone += group.update(entry.upstream, entry.servers, tls: snapshot.tls[name], loopCount: limits.loopCount)
      groups[name] = group
    }
    if let served = snapshot.endpoints { endpoints = served }
    if let access = snapshot.sessions { serve(access) }
    if let blocks = snapshot.trustedProxies { trustedProxies = TrustedProxies(blocks) }
    if let request = snapshot.limits {
      limits.request = request
      waits = EngineWaits(limits)
    }
    upstreamGroups = groups
    let dispatch = foreign.map { TokenDispatch(ownIssuer: $0.ownIssuer, routes: snapshot.routes.routes) }
    routes = LoopRoutes(
      table: snapshot.routes,
      routes: snapshot.routes.routes.map { route in
        routeSerial += 1
        guard let group = groups[route.upstream] else { preconditionFailure("a snapshot has every upstream") }
        return LoopRoute(route, serial: routeSerial, group: group, credential: credentials.credential(of: route),
          rates: snapshot.rates.table(for: route), foreign: gate(of: route, dispatch))
      })
    routesReference = .passUnretained(routes)
    for server in gone { server.retire() }
  }

  /// Lends what is served now, without counting a reference.
  // SAFETY: snapshots are applied between requests, never within one.
  @inline(__always)
  func withRoutes<Result>(_ body: (LoopRoutes) -> Result) -> Result { routesReference._withUnsafeGuaranteedRef(body) }

  private func gate(of route: Route, _ dispatch: TokenDispatch?) -> ForeignGate? {
    guard route.access.takesForeignTokens else { return nil }
    guard let foreign, let dispatch else { preconditionFailure("route \(route.name) takes tokens that nobody can verify") }
    return ForeignGate(route.access, dispatch, foreign)
  }

  func serve(_ access: SessionAccess) { sessionAccess = access }

  /// Where the answer to an inquiry is remembered.
  func cache(of inquiry: Inquiry) -> VerificationCache { inquiry.source == .session ? sessions : verification }

  // MARK: Changes

  /// Stops believing what the changes end, and ends what is under way with it.
  public func apply(_ changes: [Change]) {
    loop.assertInLoop()
    verification.apply(changes)
    sessions.apply(changes)
    credentials.apply(changes)
    streams?.apply(changes)
  }

  public func forgetEverything() {
    loop.assertInLoop()
    verification.forgetEverything()
    sessions.forgetEverything()
    credentials.invalidateAll()
    streams?.doubtEverything()
  }

  // MARK: Stopping

  /// Says `Connection: close` from now on, and serves on.
  public func announceStop() {
    loop.assertInLoop()
    isDraining = true
    for client in http2Clients.reversed() { client.drain() }
  }

  /// Stops accepting, lets requests under way end, says `Connection: close`; calls back when no connection is left.
  ///
  /// - Parameter deadline: after that, what is still open is cut off.
  public func drain(within deadline: Duration, _ done: @escaping () -> Void) {
    loop.assertInLoop()
    drained.append(done)
    guard !hasClosedDoors else { return }
    hasClosedDoors = true
    isDraining = true
    for listener in listeners { listener.close() }
    listeners = []
    for client in clients where client.isIdle { client.close() }
    for client in http2Clients.reversed() { client.drain() }
    // WebSockets end by themselves as rarely as a process is stopped: they are told so, and get the time to hear it.
    loop.schedule(after: deadline - limits.lingerTimeout) { [self] in
      for client in clients.reversed() { client.endTunnel(.shutDown) }
    }
    loop.schedule(after: deadline) { [self] in
      for client in clients.reversed() { client.abandon(.shutDown) }
      for client in http2Clients.reversed() { client.close() }
      finishDraining()
    }
    finishDraining()
  }

  private func finishDraining() {
    guard hasClosedDoors, clients.isEmpty, http2Clients.isEmpty, !drained.isEmpty else { return }
    for connection in upstreams { connection.close() }
    for connection in http2Upstreams { connection.fail(.connectionTerminated) }
    accessLog?.flush()
    hasStopped = true
    streams = nil
    let callbacks = drained
    drained = []
    for callback in callbacks { callback() }
  }

  // MARK: Connections
  // They refer to each other without counting: one that closes stays whole until nobody can be inside it.

  func accepted(_ descriptor: Int32, from peer: SocketAddress, for service: Service, tls: TLSAcceptor?) {
    let source = SourceCounts.Source(peer)
    guard sources[source] < limits.request.connectionsPerSourceMax || trustedProxies.contains(peer) else {
      close(descriptor)
      counters.refusedConnections += 1
      return
    }
    let session = tls?.session(on: descriptor)
    guard
      let client = try? ClientConnection(self, descriptor: descriptor, peer: peer, service: service, tls: session)
    else { return }
    add(client)
  }

  private func add(_ client: ClientConnection) {
    clients.add(client)
    sources.add(client.peer.source)
    if !client.channel.isCarried { counters.clientConnections += 1 }
  }

  var mayAccept: Bool { clients.count + http2Clients.count < limits.request.connectionsMax }

  /// Whether one more stream may be carried: streams count as connections do, of their source and of all.
  func mayCarry(for peer: ClientPeer) -> Bool {
    mayAccept && (sources[peer.source] < limits.request.connectionsPerSourceMax || peer.isTrustedProxy)
  }

  /// The client side of a stream that an HTTP/2 connection carries.
  func carry(_ stream: HTTP2ClientStream, for carrier: HTTP2ClientConnection) -> ClientConnection {
    let client = ClientConnection(self, stream: stream, peer: carrier.peer, service: carrier.service)
    add(client)
    return client
  }

  /// A connection turned out to speak HTTP/2; its `ClientConnection` has given it up.
  func acceptedHTTP2(
    _ descriptor: Int32, _ tls: TLSSession?, from peer: ClientPeer, for service: Service
  ) -> HTTP2ClientConnection? {
    guard
      let client = try? HTTP2ClientConnection(self, descriptor: descriptor, tls: tls, peer: peer, service: service)
    else { return nil }
    http2Clients.add(client)
    sources.add(peer.source)
    counters.clientConnections += 1
    return client
  }

  func remove(_ client: HTTP2ClientConnection) {
    loop.keepUntilEndOfTurn(client)
    http2Clients.remove(client)
    sources.remove(client.peer.source)
    counters.clientConnections -= 1
    if isDraining { finishDraining() }
  }

  func remove(_ client: ClientConnection) {
    loop.keepUntilEndOfTurn(client)
    clients.remove(client)
    sources.remove(client.peer.source)
    if !client.channel.isCarried { counters.clientConnections -= 1 }
    if isDraining { finishDraining() }
  }

  func add(_ connection: UpstreamConnection) {
    upstreams.add(connection)
    if !connection.channel.isCarried { counters.upstreamConnections += 1 }
  }

  func add(_ connection: HTTP2UpstreamConnection) {
    http2Upstreams.add(connection)
    counters.upstreamConnections += 1
  }

  func remove(_ connection: HTTP2UpstreamConnection) {
    loop.keepUntilEndOfTurn(connection)
    http2Upstreams.remove(connection)
  }

  func remove(_ connection: UpstreamConnection) {
    loop.keepUntilEndOfTurn(connection)
    upstreams.remove(connection)
  }

  // MARK: Time

  /// Wall-clock time of this turn, true to a second after the system's clock was set.
  var wallNow: Timestamp { Timestamp(microseconds: loop.now / 1000 + wallOffset) }

  /// Once a second: everything that waited too long, and what is made once a second.
  private func tick() {
    wallOffset = postern_unix_microseconds() - postern_monotonic_nanoseconds() / 1000
    date.update(unixSeconds: wallNow.seconds)
    accessLog?.flush()
    let now = loop.now
    let wallNow = wallNow
    for client in clients.reversed() {
      if client.deadline <= now { client.timeOut() }
      if client.hasOutlivedToken(at: wallNow) {
        counters.expiredStreams += 1
        client.cut(.expired)
      }
    }
    for client in http2Clients.reversed() { client.tick(at: now) }
    for connection in upstreams.reversed() where connection.deadline <= now { connection.timeOut() }
    for connection in http2Upstreams.reversed() where connection.deadline <= now { connection.timeOut() }
    guard !hasStopped else { return }
    // Strong on purpose: a weak reference would make every other reference to the engine slower.
    loop.schedule(after: .seconds(1)) { self.tick() }
  }

  /// - Parameter wait: nanoseconds.
  func deadline(after wait: Int64) -> Int64 { loop.now &+ wait }

  // MARK: What requests leave behind

  func nextRequestID() -> RequestID {
    requestID.advance()
    return requestID
  }

  func report(_ failure: TLSFailure, of server: Origin) { tlsFailed?(server, failure) }

  var isLogging: Bool { accessLog != nil }

  func log(_ line: inout ByteQueue, status: Int, route: String?, responseBytes: UInt64, startedAt: Int64) {
    // Not the time of the turn: an endpoint may have worked since.
    accessLog?.finish(
      &line, status: status, route: route, responseBytes: responseBytes,
      microseconds: (postern_monotonic_nanoseconds() - startedAt) / 1000)
  }

  /// Bytes that wait in queues of this loop, for slow readers or for their turn.
  public var waitingBytes: Int {
    clients.reduce(0) { $0 + $1.channel.inbound.count + $1.channel.outbound.count }
      + http2Clients.reduce(0) { $0 + $1.waitingBytes }
      + upstreams.reduce(0) { $0 + $1.channel.inbound.count + $1.channel.outbound.count }
      + http2Upstreams.reduce(0) { $0 + $1.waitingBytes }
  }

  /// Whether remembered facts of opaque tokens may be used. Asked once per turn, since all loops share the answer.
  var trustsStored: Bool {
    if freshnessSeen.at != loop.now { freshnessSeen = (loop.now, freshness.isFresh) }
    return freshnessSeen.isFresh
  }

  func count(_ change: (inout EngineCounters) -> Void) { change(&counters) }
}
