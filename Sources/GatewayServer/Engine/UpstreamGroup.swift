import EventLoop
import ReverseProxy

/// The servers of one upstream on one loop, and the choice among them. Lives as long as a snapshot has the upstream, so
/// that what was found out about servers outlives a change of the configuration.
final class UpstreamGroup {
  private(set) var upstream: Upstream
  private let loop: EventLoop
  // Read by every request, written by snapshots: the run-time check showed in the profile of its neighbours.
  @exclusivity(unchecked) private(set) var servers: [UpstreamServer] = []
  /// When there is one server only and nothing to decide about it.
  // SAFETY: it is among `servers`.
  @exclusivity(unchecked) private var only: Unmanaged<UpstreamServer>?
  @exclusivity(unchecked) private var requestCount: UInt64 = 0
  private var limits = ServerLimits()
  private var picker: ServerPicker
  private var budget = RetryBudget()
  private var ejectedCount = 0
  private var line = WaitingLine()
  private var isCalling = false
  private let ejected: ((_ server: ServerKey) -> Void)?

  /// - Parameter ejected: takes servers that are left out from now on; must not block.
  init(_ upstream: Upstream, on loop: EventLoop, ejected: ((_ server: ServerKey) -> Void)?) {
    self.upstream = upstream
    self.loop = loop
    self.ejected = ejected
    picker = ServerPicker(seed: UInt64(bitPattern: loop.now) &+ UInt64(loop.index))
  }

  /// Takes over what a snapshot says. Servers that stay keep their connections, unless these would be made otherwise now,
  /// and always keep what was found out about them.
  ///
  /// - Parameters:
  ///   - tls: what `https` servers are verified with.
  ///   - loopCount: of loops that share the upstream's limits.
  /// - Returns: servers that serve no more requests.
  func update(
    _ upstream: Upstream, _ resolved: [ResolvedServer], tls: TLSClientContext?, loopCount: Int
  ) -> [UpstreamServer] {
    let known = Dictionary(servers.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    var kept: [ServerKey: UpstreamServer] = [:]
    let before = servers
    limits = upstream.limits.share(ofLoops: loopCount)
    self.upstream = upstream
    servers = resolved.flatMap { server in
      server.addresses.compactMap { address -> UpstreamServer? in
        let key = ServerKey(upstream: upstream.name, origin: server.origin, address: address)
        guard kept[key] == nil else { return nil }
        let server: UpstreamServer
        if let same = known[key], same.timeouts == upstream.timeouts, same.tls === tls,
          same.applicationProtocol == upstream.applicationProtocol
        {
          server = same
        } else {
          server = UpstreamServer(
            key, timeouts: upstream.timeouts, tls: tls, speaking: upstream.applicationProtocol)
          if let known = known[key] { server.inherit(known) }
        }
        kept[key] = server
        return server
      }
    }
    for (position, server) in servers.enumerated() { server.join(self, at: position, isLimited: limits.requests != nil) }
    ejectedCount = servers.count { $0.circuit.isEjected }
    let isJudged = upstream.health != nil || limits.requests != nil || upstream.ejection.ejectedCountMax(of: servers.count) > 0
    only = servers.count == 1 && !isJudged ? .passUnretained(servers[0]) : nil
    hasRoom()
    return before.filter { kept[$0.key] !== $0 }
  }

  // MARK: The choice

  /// The server for a new request.
  ///
  /// - Parameter hasWaited: whether it comes from the line of those that wait; others go behind them.
  /// - Returns: nil when none takes one; `refusal` says why. Not counted: good until the group is updated.
  func pick(hasWaited: Bool) -> Unmanaged<UpstreamServer>? {
    requestCount &+= 1
    if let only { return only }
    guard hasWaited || line.isEmpty else { return nil }
    return choose(avoiding: 0, at: loop.now).map { .passUnretained($0) }
  }

  /// - Parameter tried: bits of servers that the request has failed at.
  private func choose(avoiding tried: UInt64, at now: Int64) -> UpstreamServer? {
    let takesEjected = !servers.contains { $0.isHealthy && $0.isAdmitting(at: now) } && upstream.ejection.yieldsWhenAllAreGone
    let requestsMax = limits.requests ?? .max
    let index = picker.pick(upstream.balance, of: servers.count) { index in
      let server = servers[index]
      guard server.isHealthy, takesEjected || server.isAdmitting(at: now), server.underWay < requestsMax,
        tried & server.bit == 0
      else { return nil }
      return server.underWay
    }
    return index.map { servers[$0] }
  }

  /// Why no server takes a request now.
  var refusal: GatewayError {
    let now = loop.now
    guard !servers.isEmpty else { return .dnsError }
    let healthy = servers.filter(\.isHealthy)
    guard !healthy.isEmpty else {
      return .destinationUnavailable(retryAfter: Self.seconds(upstream.health?.interval.nanoseconds ?? 0))
    }
    if upstream.ejection.yieldsWhenAllAreGone || healthy.contains(where: { $0.isAdmitting(at: now) }) {
      return .connectionLimitReached
    }
    let next = healthy.compactMap { $0.circuit.reopening }.min()
    return .destinationUnavailable(retryAfter: Self.seconds(next.map { $0 - now } ?? 0))
  }

  private static func seconds(_ nanoseconds: Int64) -> Int { max(1, Int((nanoseconds + 999_999_999) / 1_000_000_000)) }

  // MARK: Further tries

  /// Where a request goes after a try that failed, if the rule and the budget allow a further one.
  ///
  /// - Parameters:
  ///   - tried: bits of all servers that it has failed at, `server`'s among them.
  ///   - count: further tries so far.
  func next(
    after failed: FailedTry, at server: UpstreamServer, tried: UInt64, count: Int
  ) -> UpstreamServer? {
    let now = loop.now
    let rule = upstream.retries
    guard rule.permits(failed, after: count) else { return nil }
    guard let next = choose(avoiding: tried, at: now) ?? (failed.mayReturn ? choose(avoiding: 0, at: now) : nil) else {
      return nil
    }
    return budget.withdraw(percent: rule.budget, requestCount: requestCount, at: now) ? next : nil
  }

  // MARK: Waiting

  var waitingCount: Int { line.count }

  /// Whether the line is short enough for one more request.
  var mayWait: Bool { line.count < limits.pending }

  /// Lets a request wait until a server has room.
  ///
  /// - Parameter resume: called once, later: with true to go on, with false when it has waited too long.
  func wait(_ resume: @escaping (_ mayGo: Bool) -> Void) {
    line.append(timer: { number in
      loop.schedule(after: limits.wait) { [self] in line.remove(number)?(false) }
    }, resume)
  }

  /// A request has ended, or servers have changed. Whoever waits is called in the next turn, since the buffers of this one
  /// are in use.
  func hasRoom() {
    guard !line.isEmpty, !isCalling else { return }
    isCalling = true
    loop.inNextTurn { [self] in
      isCalling = false
      while choose(avoiding: 0, at: loop.now) != nil, let resume = line.removeFirst(loop) { resume(true) }
    }
  }

  // MARK: What is found out

  var mayEjectOneMore: Bool { ejectedCount < upstream.ejection.ejectedCountMax(of: servers.count) }

  func isReadmitted(_ server: UpstreamServer) { ejectedCount -= 1 }

  func isEjected(_ server: UpstreamServer) {
    ejectedCount += 1
    ejected?(server.key)
  }

  /// Word of a health check that is no longer made comes too late: nobody would ever take it back.
  func setHealth(of key: ServerKey, _ isHealthy: Bool) {
    guard upstream.health != nil else { return }
    servers.first { $0.key == key }?.isHealthy = isHealthy
    if isHealthy { hasRoom() }
  }
}
