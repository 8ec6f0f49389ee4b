import Configuration
import EgressHTTP
import EventLoop
import ReverseProxy

/// The addresses of the upstreams' names, looked up off the loops.
struct UpstreamAddresses: Sendable {
  /// How often names are looked up again: their servers may move.
  static let interval: Duration = .seconds(30)

  let workers: WorkerPool

  /// - Returns: no entry for a name that does not resolve now.
  func resolve(_ upstreams: [Upstream]) async -> [Origin: [SocketAddress]] {
    var found: [Origin: [SocketAddress]] = [:]
    for origin in Set(upstreams.flatMap(\.servers)) {
      if let literal = SocketAddress(literal: origin.host, port: origin.port) {
        found[origin] = [literal]
      } else if let addresses = try? await workers.run({ SystemResolver().addresses(of: origin.host, port: origin.port) }) {
        found[origin] = addresses
      }
    }
    return found
  }
}
