import Configuration
import EgressHTTP
import EventLoop
import ReverseProxy

/// The addresses of the upstreams' names, looked up off the loops.
struct UpstreamAddresses: Sendable {
  /// How often names are looked up again: their servers may move.
  static let interval: Duration = .seconds(30)
  /// While one of them has no address: what it names is perhaps just being started.
  static let urgentInterval: Duration = .seconds(2)
  /// Of one name; each counts as a server. What a name server may say must not grow without bound.
  static let countMax = 64

  let workers: WorkerPool

  /// Looks all names up at once: one that takes its time does not keep the others.
  ///
  /// - Returns: no addresses, or no entry, for a name that does not resolve now.
  func resolve(_ upstreams: [Upstream]) async -> [Origin: [SocketAddress]] {
    await withTaskGroup(of: (Origin, [SocketAddress]?).self) { group in
      for origin in Set(upstreams.flatMap(\.servers)) { group.addTask { (origin, await addresses(of: origin)) } }
      var found: [Origin: [SocketAddress]] = [:]
      for await (origin, addresses) in group { found[origin] = addresses }
      return found
    }
  }

  /// In an order of their own: name servers turn it round with each answer, which is no change.
  private func addresses(of origin: Origin) async -> [SocketAddress]? {
    if let literal = SocketAddress(literal: origin.host, port: origin.port) { return [literal] }
    let found = try? await workers.run { SystemResolver().addresses(of: origin.host, port: origin.port) }
    return found.map { Array($0.sorted { $0.address.lexicographicallyPrecedes($1.address) }.prefix(Self.countMax)) }
  }
}
