import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy

/// One request and its response, between a client connection and an upstream connection. Knows neither sockets nor framing
/// of its own; reused for the next request of its connection.
final class Exchange {
  // SAFETY: the client connection owns its exchange, and the engine keeps closed connections until the end of the turn.
  private var clientReference: Unmanaged<ClientConnection>?
  let engine: Engine

  private(set) var method = MethodKind.get
  private(set) var isHTTP10 = false
  /// Whether the client connection lives on after the response.
  var keepsAlive = true
  // This and `request` are touched by every step, one after the other: the run-time check showed in the profile. No access
  // spans a call that leads to another.
  @exclusivity(unchecked) var requestBody = BodyReader()
  private(set) var requestID: RequestID
  private(set) var startedAt: Int64 = 0
  /// Whether this or an earlier request of the connection was a request.
  var hasBegun: Bool { startedAt != 0 }

  /// nil until it is found.
  var route: LoopRoute? { hasRoute ? keptRoute : nil }
  /// The route of the last request that had one: kept for the next one, which often has the same.
  private var keptRoute: LoopRoute?
  private var hasRoute = false
  // SAFETY: set to nil before the connection is closed, which the engine holds until then.
  private(set) unowned(unsafe) var upstream: UpstreamConnection?
  /// Head and first body bytes as sent, until the response begins: for the one retry.
  @exclusivity(unchecked) var request: ByteQueue
  private(set) var isReplayable = false
  /// Where its `Host` line stands: another server may have another name.
  var hostLine = 0..<0
  /// Where the credential's stands: an upstream may refuse it.
  var credentialLine = 0..<0
  /// Names what that line holds, of a credential that can be replaced.
  var credentialGeneration = Int64.min
  /// Whether a 401 of this request was answered with another credential, or could not be.
  var hasHeededRefusal = false
  private var hasRetriedStale = false
  /// Further tries, and the servers that were tried; see `UpstreamServer.bit`.
  var retryCount = 0
  var triedServers: UInt64 = 0
  private(set) var hasBegunResponse = false
  /// An HTTP/1.0 client gets chunked content without its framing.
  private(set) var isDechunking = false
  private(set) var status = 0
  private(set) var responseBytes: UInt64 = 0
  private var logLine: ByteQueue
  /// nil: the request asks for no WebSocket, or its route has none.
  var tunnel: Tunnel?
  /// Whether the response tells no end beforehand.
  var isOpenEnded = false
  /// Whether the response is an event stream that goes on after its first bytes.
  private(set) var isEventStream = false

  /// Whether there are facts of a token: from the decision to the end of the response, unless the route asks for none.
  private(set) var hasToken = false
  var token: VerifiedToken? { hasToken ? keptToken : nil }
  /// Those of the last request that had some: the next one often comes with the same token.
  @exclusivity(unchecked) private var keptToken: VerifiedToken?
  // What was found out while the request was parked.
  var failure: GatewayError?
  var parkCount = 0
  /// Whether it stood in the line of those that wait for a server with room.
  var hasWaited = false
  /// What the route's policies have to say in the response.
  @exclusivity(unchecked) var additions = ResponseAdditions()

  init(_ engine: Engine) {
    self.engine = engine
    requestID = engine.requestID
    request = ByteQueue(pool: engine.pool)
    logLine = ByteQueue(pool: engine.pool)
  }

  func attach(to client: ClientConnection) { clientReference = .passUnretained(client) }

  /// The connection whose exchange this is, without counting a reference: it outlives every call made through it.
  @inline(__always)
  func withClient<Result>(_ body: (ClientConnection) -> Result) -> Result {
    guard let clientReference else { preconditionFailure("an exchange belongs to a connection") }
    return clientReference._withUnsafeGuaranteedRef(body)
  }

  // MARK: Begin

  func begin(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
    method = head.methodKind
    isHTTP10 = head.isHTTP10
    keepsAlive = head.isPersistent && !engine.isDraining
    requestBody = BodyReader(head.framing)
    requestID = engine.nextRequestID()
    startedAt = engine.loop.now
    hasBegunResponse = false
    hasRetriedStale = false
    hasHeededRefusal = false
    credentialGeneration = .min
    isDechunking = false
    isOpenEnded = false
    isEventStream = false
    status = 0
    responseBytes = 0
    if engine.isLogging {
      beginLog(method: bytes.extracting(head.method.range), path: bytes.extracting(head.path.range))
      if let value = head.fields.traceParent { TraceField(bytes, value).append(toLog: &logLine, bytes, requestID) }
    }
  }

  /// For bytes that are no request, whose answer ends the connection.
  func beginUnreadable() {
    method = .other
    isHTTP10 = false
    keepsAlive = false
    requestBody = BodyReader()
    requestID = engine.nextRequestID()
    startedAt = engine.loop.now
    if engine.isLogging { beginLog(method: "".utf8.span, path: "".utf8.span) }
  }

  private func beginLog(method: Span<UInt8>, path: Span<UInt8>) {
    AccessLog.begin(
      &logLine, id: requestID, at: engine.wallNow, &engine.logClock, client: withClient { $0.origin.address },
      method: method, path: path)
  }

  /// Forgets what belonged to the request only.
  func reset() {
    hasRoute = false
    hasToken = false
    // Asked first, since emptying what is empty costs more.
    if failure != nil { failure = nil }
    parkCount = 0
    hasWaited = false
    if !additions.isEmpty { additions = ResponseAdditions() }
    if tunnel != nil { tunnel = nil }
    request.clear()
  }

  var persistence: ResponseWriter.Persistence {
    keepsAlive ? (isHTTP10 ? .keepAliveHTTP10 : .keepAlive) : .close
  }

  // MARK: Towards the upstream

  /// Notes the route of the request, once it is found.
  func take(_ route: LoopRoute) {
    if keptRoute !== route { keptRoute = route }
    hasRoute = true
  }

  /// Notes whose request it is.
  func take(_ token: VerifiedToken) {
    if keptToken !== token { keptToken = token }
    hasToken = true
  }

  /// What is known of the token may be older than the next step.
  func forgetToken() { hasToken = false }

  /// Sends the composed request on a pooled or a fresh connection.
  func dispatch(to server: UpstreamServer) {
    isReplayable = true
    retryCount = 0
    triedServers = 0
    engine.count { $0.proxiedRequests += 1 }
    send(to: server)
  }

  func send(to server: UpstreamServer) {
    server.begin(at: engine.loop.now)
    // SAFETY: the engine holds every connection until the end of the turn in which it is closed.
    while let pooled = server.takeIdle() { if pooled._withUnsafeGuaranteedRef({ isSent(on: $0) }) { return } }
    connect(to: server)
  }

  private func isSent(on pooled: UpstreamConnection) -> Bool {
    upstream = pooled
    if pooled.begin(self, request: request.readable) { return true }
    // Broken before anything was sent: as good as never taken.
    upstream = nil
    pooled.close()
    return false
  }

  private func connect(to server: UpstreamServer) {
    do throws(GatewayError) {
      let fresh = try server.connect(engine)
      upstream = fresh
      guard fresh.begin(self, request: request.readable) else {
        upstream = nil
        fresh.close()
        throw .connectionTerminated
      }
    } catch {
      tryFailed(error, at: server, isUnsent: true)
    }
  }

  /// Whether more of the request body may be read.
  var hasRoom: Bool { upstream?.hasRoom ?? false }

  func sendBody(_ bytes: Span<UInt8>) {
    guard let upstream else { return }
    let isKept = upstream.isConnecting || credentialGeneration != .min
    if isKept, isReplayable, request.count &+ bytes.count <= engine.limits.replayBytes {
      request.append(bytes)
    } else {
      // What has passed by cannot be sent a second time.
      isReplayable = false
    }
    guard !upstream.send(bytes) else { return }
    abandonUpstream()
    engine.count { $0.upstreamErrors += 1 }
    withClient { if hasBegunResponse { $0.truncate() } else { $0.fail(.connectionTerminated) } }
  }

  // MARK: Towards the client

  /// - Returns: false when the client is gone.
  func forwardInterim(_ bytes: Span<UInt8>, _ head: borrowing ResponseHead) -> Bool {
    // Source: RFC 9110 §15.2: no 1xx to an HTTP/1.0 client.
    guard !isHTTP10 else { return true }
    engine.outgoing.clearKeepingMemory()
    append(head, bytes, to: &engine.outgoing)
    engine.outgoing.append("\r\n")
    return withClient { $0.send(engine.outgoing.readable) }
  }

  /// Writes the final head for the client.
  func composeResponse(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, into outgoing: inout ByteQueue) {
    beginResponse(status: head.status)
    isDechunking = isHTTP10 && head.framing == .chunked
    // A body that ends with the connection, or a request body that nobody may want any more, ends ours too.
    if head.framing == .untilClose || isDechunking || !requestBody.isComplete { keepsAlive = false }
    isOpenEnded = head.framing == .untilClose || head.framing == .chunked
    if engine.isDraining { keepsAlive = false }
    outgoing.clearKeepingMemory()
    append(head, bytes, to: &outgoing)
    // Source: RFC 9110 §6.6.1: whoever forwards a response without a date says when it came.
    if !head.fields.hasDate { outgoing.append(dateLine: engine.date) }
    if !additions.isEmpty { additions.append(to: &outgoing) }
    switch persistence {
    case .keepAlive: break
    case .keepAliveHTTP10: outgoing.append("Connection: keep-alive\r\n")
    case .close: outgoing.append("Connection: close\r\n")
    }
    outgoing.append(engine.via.endOfHead.bytes)
  }

  /// A final head is on its way: the request needs not be kept any longer.
  func beginResponse(status: Int) {
    hasBegunResponse = true
    request.clear()
    self.status = status
  }

  /// The response that was composed last turned out bad before anything of it was sent.
  func takeBackResponse() {
    hasBegunResponse = false
    isReplayable = false
    engine.outgoing.clearKeepingMemory()
  }

  func append(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, to outgoing: inout ByteQueue) {
    outgoing.append("HTTP/1.1 ")
    outgoing.append(bytes.extracting(head.statusAndReason.range))
    outgoing.append("\r\n")
    if head.fields.hasCookies || head.fields.hasChallenges || isDechunking || !additions.isEmpty {
      outgoing.append(
        bytes, responseLines: head.fieldLines, without: head.fields.cuts, dechunked: isDechunking,
        withoutAccessControl: additions.crossOrigin != nil)
    } else {
      outgoing.append(bytes, lines: head.fieldLines, without: head.fields.cuts)
    }
  }

  /// - Returns: false when the client is gone.
  func sendOutgoing() -> Bool {
    let bytes = engine.outgoing.readable
    responseBytes &+= UInt64(bytes.count)
    return bytes.isEmpty || withClient { $0.send(bytes) }
  }

  /// The response goes on after its first bytes.
  func noteStream(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) {
    isEventStream = isOpenEnded && head.isEventStream(bytes)
  }

  /// - Returns: false when the client is gone.
  func sendContent(_ bytes: Span<UInt8>) -> Bool {
    responseBytes &+= UInt64(bytes.count)
    tunnel?.fromUpstream.note(bytes)
    return bytes.withUnsafeBytes { content in withClient { $0.send(content) } }
  }

  /// One of Postern's own responses was written in place of an upstream's.
  func noteOwnResponse(status: Int, bytes: Int) {
    hasBegunResponse = true
    self.status = status
    responseBytes = UInt64(bytes)
  }

  // MARK: Ends

  /// The upstream's response went out as a whole; its server knows.
  func isComplete() {
    upstream = nil
    withClient { $0.responseIsComplete() }
  }

  /// The upstream connection is closed and let us down.
  func upstreamFailed(_ error: GatewayError, _ connection: UpstreamConnection) {
    let server = connection.server
    upstream = nil
    if hasBegunResponse {
      server.end(at: engine.loop.now)
      if let tunnel, tunnel.isOpen { return withClient { $0.endTunnel(error == .responseTimeout ? .idle : .upstream) } }
      engine.count { $0.truncatedResponses += 1 }
      return withClient { $0.truncate() }
    }
    // Its server may have closed it in the very moment it was used again. Source: RFC 9110 §9.2.2.
    // Or says that it has not looked at the request. Source: RFC 9113 §8.7.
    let isStale = (connection.wasReused || connection.isUnprocessed) && error == .connectionTerminated
    if isStale, isReplayable, !hasRetriedStale, method.isIdempotent || connection.isUnprocessed {
      hasRetriedStale = true
      engine.count { $0.upstreamRetries += 1 }
      return connect(to: server)
    }
    tryFailed(error, at: server, isUnsent: connection.isUnsent, isStale: isStale)
    withClient { $0.pump() }
  }

  /// The client cannot be written to any more.
  func clientIsGone() {
    abandonUpstream()
    withClient { $0.close() }
  }

  /// Breaks the upstream exchange off.
  ///
  /// - Returns: the server that it was with; nil: there was none.
  @discardableResult
  func abandonUpstream() -> UpstreamServer? {
    guard let upstream else { return nil }
    self.upstream = nil
    let server = upstream.server
    server.end(at: engine.loop.now)
    upstream.close()
    return server
  }

  /// Whether the client takes more of the response.
  var clientTakesMore: Bool { withClient { $0.hasRoom } }

  /// The client took what waited: the upstream may be read again.
  func clientHasRoom() { upstream?.pump() }

  /// - Parameter ending: why it ended, where neither side ended it as it should.
  func finishLog(_ ending: StreamEnding? = nil) {
    engine.count { $0.countResponse(status) }
    guard engine.isLogging else { return }
    if let tunnel, tunnel.isOpen { AccessLog.append(requestBytes: tunnel.requestBytes, to: &logLine) }
    if let ending { AccessLog.append(ending: ending, to: &logLine) }
    engine.log(
      &logLine, status: status, route: route?.route.name, responseBytes: responseBytes, startedAt: startedAt)
  }
}
