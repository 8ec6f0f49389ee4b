import EventLoop
import OAuthCore
import ReverseProxy

/// The engines of all loops as one thing: started, changed and stopped together. May be called from any thread.
public final class DataPlane: ChangeObserver {
  private let engines: [Engine]
  private let rates = RateTables()

  /// Makes one engine per loop of a running group.
  ///
  /// - Parameters:
  ///   - trustedProxies: whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
  ///   - via: how this deployment names itself to others, and knows requests that come back.
  ///   - accessLog: takes the request lines; nil: none are written.
  ///   - tlsFailed: takes what kept upstreams from being reached by TLS; callers only learn its kind.
  public init(
    group: EventLoopGroup, endpoints: EndpointTable, ports: Engine.Ports, limits: EngineLimits = EngineLimits(),
    trustedProxies: [AddressBlock] = [], via: ViaField = .none, accessLog: AccessLog.Sink? = nil,
    tlsFailed: Engine.TLSFailureSink? = nil
  ) async {
    var engines: [Engine] = []
    var limits = limits
    limits.loopCount = group.loops.count
    for loop in group.loops {
      engines.append(
        await loop.task { [limits] in
          Engine(
            loop: loop, endpoints: endpoints, ports: ports, limits: limits, trustedProxies: trustedProxies, via: via,
            accessLog: accessLog, tlsFailed: tlsFailed)
        }.value)
    }
    self.engines = engines
  }

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

  /// Stops accepting, lets requests under way end, and returns when no connection is left.
  ///
  /// - Parameter deadline: after that, what is still open is cut off.
  public func drain(within deadline: Duration) async {
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
