import EventLoop
import NetworkAddress
import OAuthCore
import ReverseProxy

/// The engines of all loops as one thing: started, changed and stopped together. May be called from any thread.
public final class DataPlane: ChangeObserver {
  private let engines: [Engine]
  private let rates = RateTables()
  private let monitor: HealthMonitor

  /// Makes one engine per loop of a running group.
  ///
  /// - Parameters:
  ///   - trustedProxies: whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
  ///   - via: how this deployment names itself to others, and knows requests that come back.
  ///   - accessLog: takes the request lines; nil: none are written.
  ///   - healthChanged: takes servers that health checks found well, or not well, from now on.
  ///   - serverEjected: takes servers that a loop leaves out from now on because of their answers; must not block.
  ///   - tlsFailed: takes what kept upstreams from being reached by TLS; callers only learn its kind.
  public init(
    group: EventLoopGroup, endpoints: EndpointTable, ports: Engine.Ports, limits: EngineLimits = EngineLimits(),
    trustedProxies: [AddressBlock] = [], via: ViaField = .none, accessLog: AccessLog.Sink? = nil,
    tlsFailed: Engine.TLSFailureSink? = nil, healthChanged: HealthSink? = nil,
    serverEjected: (@Sendable (_ server: ServerKey) -> Void)? = nil
  ) async {
    var engines: [Engine] = []
    var limits = limits
    limits.loopCount = group.loops.count
    for loop in group.loops {
      engines.append(
        await loop.task { [limits] in
          let engine = Engine(
            loop: loop, endpoints: endpoints, ports: ports, limits: limits, trustedProxies: trustedProxies, via: via,
            accessLog: accessLog, tlsFailed: tlsFailed)
          engine.serverEjected = serverEjected
          return engine
        }.value)
    }
    self.engines = engines
    // One asks for all loops: servers behind a process with many of them are not asked the more often.
    let first = engines[0]
    monitor = await first.loop.task { [engines] in
      HealthMonitor(on: first.loop, limits: first.limits.wire) { server, isHealthy in
        for engine in engines { engine.loop.execute { engine.setHealth(of: server, isHealthy) } }
        healthChanged?(server, isHealthy)
      }
    }.value
  }

  /// Takes a server of an upstream that is to be taken for something else from now on; must not block.
  public typealias HealthSink = @Sendable (_ server: ServerKey, _ isHealthy: Bool) -> Void

  /// Every loop listens on the address; the kernel spreads connections over them.
  ///
  /// - Parameter tls: nil: clear text.
  /// - Returns: the address, with the port that port 0 became.
  @discardableResult
  public func listen(
    on address: SocketAddress, serving service: Engine.Service = .gateway, tls: TLSAcceptor? = nil
  ) async throws(SystemCallError) -> SocketAddress {
    var address = address
    for engine in engines {
      let wanted = address
      address = try await engine.loop.task {
        Result { () throws(SystemCallError) in try engine.listen(on: wanted, serving: service, tls: tls) }
      }.value.get()
    }
    return address
  }

  /// Serves another snapshot; on return every new request is served by it.
  ///
  /// - Parameter changes: what the snapshot ends. Applied in the same step of each loop, so that nothing remembered from
  ///   before, such as a provider's credential, goes where only the snapshot sends it.
  public func apply(_ snapshot: GatewaySnapshot, ending changes: [Change] = []) async {
    var counted = snapshot
    counted.rates = rates
    let snapshot = counted
    for engine in engines {
      await engine.loop.task {
        engine.apply(snapshot)
        engine.apply(changes)
      }.value
    }
    rates.keep(only: snapshot.routes.routes)
    // Only now: what is found out about a server reaches loops that know it.
    await engines[0].loop.task { [monitor] in monitor.apply(snapshot) }.value
  }

  public func apply(_ changes: [Change]) {
    for engine in engines { engine.loop.execute { engine.apply(changes) } }
  }

  public func forgetEverything() {
    for engine in engines { engine.loop.execute { engine.forgetEverything() } }
  }

  /// What all loops have done since they started.
  public func counters() async -> EngineCounters {
    var sum = EngineCounters()
    for engine in engines { sum = sum + (await engine.loop.task { engine.counters }.value) }
    return sum
  }

  /// Every server of every upstream, as all loops together see it; in order of upstream and server.
  public func upstreamServers() async -> [UpstreamServerReport] {
    var servers: [ServerKey: UpstreamServerReport] = [:]
    for engine in engines {
      for report in await engine.loop.task({ engine.upstreamServers }).value {
        if servers[report.key]?.add(report) == nil { servers[report.key] = report }
      }
    }
    return servers.values.sorted { $0.key < $1.key }
  }

  /// Says `Connection: close` from now on, so that clients look for another instance while this one still serves.
  public func announceStop() {
    for engine in engines { engine.loop.execute { engine.announceStop() } }
  }

  /// Stops accepting, lets requests under way end, and returns when no connection is left.
  ///
  /// - Parameter deadline: after that, what is still open is cut off.
  public func drain(within deadline: Duration) async {
    await engines[0].loop.task { [monitor] in monitor.stop() }.value
    await withTaskGroup(of: Void.self) { group in
      for engine in engines {
        group.addTask {
          await withUnsafeContinuation { continuation in
            engine.loop.execute { engine.drain(within: deadline) { continuation.resume() } }
          }
        }
      }
    }
  }
}
