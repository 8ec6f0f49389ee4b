import Broker
import EventLoop

/// Postern's HTTP client for providers: libcurl on the event loops, one set of connections per loop.
///
/// HTTPS only, TLS always verified, no redirects, no proxies, no cookies, nothing taken from the environment. A name is
/// resolved off the loop, every address is judged (`AddressClass`), and the connection is pinned to what was judged, so
/// a second answer of the name server cannot change where it goes.
public final class EgressClient: ProviderTransport {
  private let loops: [EventLoop]
  /// In the order of `loops`.
  private let egresses: [LoopEgress]

  /// - Parameters:
  ///   - loops: at least one; an exchange runs on the caller's loop, or on the first for callers elsewhere.
  ///   - pool: where names are resolved.
  ///   - trustAnchors: path of a PEM file that replaces the system's certificate authorities.
  public init(
    loops: [EventLoop], pool: WorkerPool, resolver: any NameResolver = SystemResolver(), trustAnchors: String? = nil,
    limits: EgressLimits = EgressLimits()
  ) {
    precondition(!loops.isEmpty, "egress needs a loop")
    let addressGuard = AddressGuard(resolver: resolver, pool: pool)
    self.loops = loops
    egresses = loops.map {
      LoopEgress(loop: $0, addressGuard: addressGuard, trustAnchors: trustAnchors, limits: limits)
    }
  }

  public func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    let index = EventLoop.current.flatMap { current in loops.firstIndex { $0 === current } } ?? 0
    let egress = egresses[index]
    let result = await withTaskExecutorPreference(loops[index]) { await egress.exchange(request) }
    return try result.get()
  }

  /// Ends what runs and closes every connection. Comes before the loops stop.
  public func shutdown() async {
    for (loop, egress) in zip(loops, egresses) {
      await withTaskExecutorPreference(loop) { await egress.shutdown() }
    }
  }
}
