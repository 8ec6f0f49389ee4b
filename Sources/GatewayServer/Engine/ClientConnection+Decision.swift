import Cryptography
import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy

/// From a complete head to an endpoint, an upstream or an error. Each step either goes on, answers, or parks the request;
/// a parked request begins again from the first step with what was found out.
extension ClientConnection {
  /// - Returns: bytes done with: the head and what of the body came with it; 0 when parked.
  func decide(_ bytes: Span<UInt8>) -> Int {
    if let failure = exchange.failure { return refuse(failure, bytes) }
    if case .endpoints(let table) = service { return serve(table, bytes) }
    // Who speaks for others may ask for any host over one connection. Source: RFC 9110 §7.4.
    if let secured = peer.secured, !peer.isTrustedProxy, !secured.serves(bytes.extracting(scanner.head.authority.range)) {
      return refuse(.misdirected, bytes)
    }
    // Source: RFC 9110 §4.2.3: an empty path of an absolute-form target is `/`.
    guard !scanner.head.path.isEmpty else { return route("/".utf8.span, bytes, canonical: nil) }
    let start = Int(scanner.head.path.start)
    let end = Int(scanner.head.query?.end ?? scanner.head.path.end)
    do throws(PathRefusal) {
      let canonical = try CanonicalPath(target: bytes.extracting(start..<end))
      return route(bytes.extracting(scanner.head.path.range), bytes, canonical: canonical)
    } catch {
      return refuse(.badTarget(error), bytes)
    }
  }

  // MARK: Route

  private func route(_ path: Span<UInt8>, _ bytes: Span<UInt8>, canonical: CanonicalPath?) -> Int {
    engine.withRoutes { routes in
      if routes.answersPreflights, let used = answerPreflight(path, bytes) { return used }
      let match = routes.match(
        method: bytes.extracting(scanner.head.method.range), host: bytes.extracting(scanner.head.authority.range), path: path)
      switch match {
      case .route(let index): return routes.withRoute(index) { enter($0, path, bytes, canonical: canonical) }
      case .ownEndpoint: return serve(engine.endpoints, bytes)
      case .notFound: return refuse(.routeNotFound, bytes)
      case .methodNotAllowed(let allow): return refuse(.methodNotAllowed(allow: allow), bytes)
      }
    }
  }

  private func enter(_ route: LoopRoute, _ path: Span<UInt8>, _ bytes: Span<UInt8>, canonical: CanonicalPath?) -> Int {
    exchange.take(route)
    if route.isCrossOrigin, let answers = route.crossOrigin { noteOrigin(answers, bytes) }
    if let canonical {
      do throws(PathRefusal) { try route.route.requireAcceptable(canonical) } catch {
        return refuse(.badTarget(error), bytes)
      }
    }
    return admit(route, path, bytes)
  }

  // MARK: Token and policy

  private func admit(_ route: LoopRoute, _ path: Span<UInt8>, _ bytes: Span<UInt8>) -> Int {
    if scanner.head.fields.hasVia, engine.via.isNamed(in: bytes, lines: scanner.head.fieldLines) {
      return refuse(.loopDetected, bytes)
    }
    if route.allowsWebSocket { noteUpgrade(bytes) }
    if let limit = route.bodyBytesMax, let length = scanner.head.fields.contentLength, length > limit {
      return refuse(.bodyTooLarge, bytes)
    }
    if route.limitsAddresses, let rate = route.rate, let refusal = overRate(rate, caller) { return refuse(refusal, bytes) }
    if route.isAnonymous { return inject(route, for: nil, path, bytes) }
    guard let authorization = scanner.head.fields.authorization else {
      return route.takesSessions ? admitBrowser(route, path, bytes) : deny(.missingToken, route, bytes)
    }
    let value = bytes.extracting(authorization.range)
    switch Bearer(authorization: value) {
    case .absent: return deny(.missingToken, route, bytes)
    case .malformed: return deny(.invalidRequest, route, bytes)
    case .presented(let range):
      let now = engine.wallNow
      // What was found out while the request was parked.
      if exchange.hasToken, let token = exchange.token { return admit(token, on: route, path, bytes, at: now) }
      let presented = value.extracting(range)
      let digest: Digest256
      switch engine.verification.lookup(presented, at: now, hearsChanges: engine.trustsStored) {
      case .verified(let known):
        let used: Int? = known._withUnsafeGuaranteedRef { known in
          guard known.counts(on: route) else { return nil }
          engine.count { $0.tokenHits += 1 }
          return admit(known, on: route, path, bytes, at: now)
        }
        if let used { return used }
        digest = known.takeUnretainedValue().digest
      case .unknown(let unknown): digest = unknown
      }
      switch find(presented, digest, for: route, bytes) {
      case .known(let found): return admit(found, on: route, path, bytes, at: now)
      case .decided(let used): return used
      }
    }
  }

  private func admit(
    _ token: VerifiedToken, on route: LoopRoute, _ path: Span<UInt8>, _ bytes: Span<UInt8>, at now: Timestamp
  ) -> Int {
    if token.isBound, !token.isFor(peer.secured?.thumbprint) { return deny(.invalidToken, route, bytes) }
    if case .deny(let denial) = token.decide(route, at: now) { return deny(denial, route, bytes) }
    if route.limitsCallers, let rate = route.rate, let refusal = overRate(rate, caller(of: token, by: rate)) {
      return refuse(refusal, bytes)
    }
    exchange.take(token)
    return inject(route, for: token, path, bytes)
  }

  func deny(_ denial: AccessDenial, _ route: LoopRoute, _ bytes: Span<UInt8>) -> Int {
    refuse(.accessDenied(denial, route.route.access), bytes)
  }

  // MARK: Credential

  /// - Parameter token: nil: the route takes requests without one.
  func inject(_ route: LoopRoute, for token: VerifiedToken?, _ path: Span<UInt8>, _ bytes: Span<UInt8>) -> Int {
    // Most often; and without a look at the others.
    if !route.fixedLine.bytes.isEmpty { return forward(route, path, credential: route.fixedLine.bytes, bytes) }
    switch route.credential {
    case .none, .fixed: return forward(route, path, credential: UnsafeRawBufferPointer(start: nil, count: 0), bytes)
    case .provider(let provider):
      guard let line = provider.currentLine(at: engine.wallNow) else { return park(untilObtained: provider, bytes) }
      exchange.credentialGeneration = provider.generation
      return line.withUnsafeBytes { forward(route, path, credential: $0, bytes) }
    case .connections(let connections):
      // Such a route is not anonymous; the configuration has seen to it.
      guard let token else { return deny(.missingToken, route, bytes) }
      if let owner = connections.owner {
        switch owner.isOwner(token.facts.subject, at: engine.wallNow) {
        case true?: break
        case false?: return refuse(.connectionNotOwned, bytes)
        case nil: return park(untilKnown: owner, bytes)
        }
      }
      let credential = connections.credential(of: token.facts.subject)
      guard let line = credential.currentLine(at: engine.wallNow) else {
        return park(untilObtained: credential, connectURL: connections.connectURL, bytes)
      }
      exchange.credentialGeneration = credential.generation
      return line.withUnsafeBytes { forward(route, path, credential: $0, bytes) }
    case .assertions(let assertions):
      guard let token else { return deny(.missingToken, route, bytes) }
      let line = assertions.line(for: token.facts.subject, at: engine.wallNow)
      return line.withUnsafeBytes { forward(route, path, credential: $0, bytes) }
    }
  }

  // MARK: Forward

  private func forward(_ route: LoopRoute, _ path: Span<UInt8>, credential: UnsafeRawBufferPointer, _ bytes: Span<UInt8>) -> Int {
    guard let server = route.group.pick(hasWaited: exchange.hasWaited) else { return awaitServer(of: route.group, bytes) }
    return server._withUnsafeGuaranteedRef { forward(route, to: $0, path, credential: credential, bytes) }
  }

  private func forward(
    _ route: LoopRoute, to server: UpstreamServer, _ path: Span<UInt8>, credential: UnsafeRawBufferPointer, _ bytes: Span<UInt8>
  ) -> Int {
    let pathStart = Int(scanner.head.path.start) + (scanner.head.path.isEmpty ? 0 : route.rewrite.cutCount(path: path))
    exchange.composeRequest(
      scanner.head, bytes, route: route, server: server, pathStart: pathStart, credential: credential)
    var used = scanner.head.byteCount
    phase = .forwarding
    deadline = .max
    if !exchange.requestBody.isComplete {
      beginBody()
      let rest = bytes.extracting(droppingFirst: used)
      do throws(WireError) {
        let taken = try exchange.takeBody(rest)
        if taken > 0 { exchange.appendToRequest(rest.extracting(0..<taken)) }
        used += taken
        guard countBody(taken, isFirst: true) else { return bytes.count }
      } catch {
        refuse(error)
        return bytes.count
      }
    }
    exchange.dispatch(to: server)
    return used
  }

  // MARK: Parking

  /// A request that has to wait so often is caught between changes that undo each other.
  private static let parkCountMax = 4

  /// - Parameter connectURL: for the answer when a user has to connect first.
  private func park(
    untilObtained provider: ProviderCredential, connectURL: String = "", _ bytes: Span<UInt8>
  ) -> Int {
    guard let ticket = park() else { return refuse(.credentialUnavailable(retryable: true), bytes) }
    // The wait may be long: what is known of the token by then counts.
    exchange.forgetToken()
    provider.wait { [self] failure in
      resume(ticket) { exchange in
        guard let failure else { return }
        switch failure {
        case .unavailable: exchange.failure = .credentialUnavailable(retryable: true)
        case .notConnected, .needsReauthentication: exchange.failure = .connectionRequired(connectURL: connectURL)
        case .refused, .unknownProvider: exchange.failure = .credentialUnavailable(retryable: false)
        }
      }
    }
    return 0
  }

  private func park(untilKnown owner: ConnectionOwner, _ bytes: Span<UInt8>) -> Int {
    guard let ticket = park() else { return refuse(.credentialUnavailable(retryable: true), bytes) }
    exchange.forgetToken()
    let engine = engine
    owner.wait(at: { engine.wallNow }) { [self] failure in
      resume(ticket) { exchange in
        if failure != nil { exchange.failure = .credentialUnavailable(retryable: true) }
      }
    }
    return 0
  }

  /// No server takes the request now: it waits for one with room, or is refused.
  private func awaitServer(of group: UpstreamGroup, _ bytes: Span<UInt8>) -> Int {
    let refusal = group.refusal
    guard refusal == .connectionLimitReached, group.mayWait, let ticket = park() else {
      engine.count { $0.upstreamErrors += 1 }
      return refuse(refusal, bytes)
    }
    exchange.forgetToken()
    group.wait { [self] mayGo in
      resume(ticket) { exchange in
        exchange.hasWaited = true
        if !mayGo { exchange.failure = refusal }
      }
    }
    return 0
  }

  func park() -> UInt64? {
    exchange.parkCount += 1
    guard exchange.parkCount <= ClientConnection.parkCountMax else { return nil }
    ticket &+= 1
    phase = .parked
    deadline = engine.deadline(after: engine.waits.decision)
    return ticket
  }

  func resume(_ ticket: UInt64, _ note: (Exchange) -> Void) {
    engine.loop.assertInLoop()
    guard phase == .parked, self.ticket == ticket else { return }
    note(exchange)
    phase = .deciding
    pump()
  }
}
