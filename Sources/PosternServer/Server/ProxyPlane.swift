import Broker
import Configuration
import CLinux
import EventLoop
import GatewayServer
import OAuthCore
import PostgresStore
import ReverseProxy

/// The engines: one per loop, all serving the same.
struct ProxyPlane: Sendable {
  let engines: [Engine]

  /// - Parameter accessLog: descriptor for request lines; nil: none.
  static func make(
    on loops: [EventLoop], _ configuration: Configuration, endpoints: EndpointTable, ports: Engine.Ports, accessLog: Int32?
  ) async -> ProxyPlane {
    var limits = EngineLimits()
    limits.request = configuration.limits
    var engines: [Engine] = []
    for loop in loops {
      engines.append(
        await loop.task { [limits] in
          Engine(loop: loop, endpoints: endpoints, ports: ports, limits: limits, accessLog: accessLog)
        }.value)
    }
    return ProxyPlane(engines: engines)
  }

  func apply(_ snapshot: GatewaySnapshot) {
    for engine in engines { engine.loop.execute { engine.apply(snapshot) } }
  }

  /// - Throws: `CommandFailure` when an address is taken or not this machine's.
  func listen(on address: ListenAddress, serving service: Engine.Service = .gateway) async throws {
    guard let socket = SocketAddress(literal: address.host, port: address.port) else {
      preconditionFailure("a configuration has literal addresses only")
    }
    do {
      try Socket.requireFree(socket)
      for engine in engines {
        try await engine.loop.task {
          Result { () throws(SystemCallError) in _ = try engine.listen(on: socket, serving: service) }
        }.value.get()
      }
    } catch {
      throw CommandFailure("cannot listen on \(address): \(error); is another process there?")
    }
  }

  /// What all loops have done so far.
  func counters() async -> EngineCounters {
    var sum = EngineCounters()
    for engine in engines { sum = sum + (await engine.loop.task { engine.counters }.value) }
    return sum
  }

  /// Stops accepting and lets requests under way end.
  func drain(within deadline: Duration) async {
    await withTaskGroup { group in
      for engine in engines {
        group.addTask {
          await engine.loop.task {
            await withUnsafeContinuation { continuation in
              engine.drain(within: deadline) { continuation.resume() }
            }
          }.value
        }
      }
    }
  }
}

extension ProxyPlane: ChangeObserver {
  func apply(_ changes: [Change]) {
    for engine in engines { engine.loop.execute { engine.apply(changes) } }
  }

  func forgetEverything() {
    for engine in engines { engine.loop.execute { engine.forgetEverything() } }
  }
}

/// Whether the change feed has been read within `max_staleness`. Source: DESIGN of the cache: rather 503 than a stale yes.
struct FeedFreshness: Freshness {
  /// Longest that a revocation may go unheard.
  static let stalenessMax: Duration = .seconds(2)

  let feed: ChangeListener

  var isFresh: Bool { feed.isCurrent(within: Self.stalenessMax, at: postern_monotonic_nanoseconds()) }
}
