import ReverseProxy
import Synchronization

/// The rate tables of a process, one per limited route: shared by its loops, and kept while the configuration changes
/// around a route, so that a reload forgives nobody.
public final class RateTables: Sendable {
  private let known = Mutex<[String: RateTable]>([:])

  public init() {}

  /// - Returns: nil when the route has no rate.
  func table(for route: Route) -> RateTable? {
    guard let rule = route.limits.rate else { return nil }
    return known.withLock { known in
      if let table = known[route.name], table.rule == rule { return table }
      let table = RateTable(rule)
      known[route.name] = table
      return table
    }
  }

  /// Forgets the routes that are gone.
  func keep(only routes: [Route]) {
    let limited = Set(routes.filter { $0.limits.rate != nil }.map(\.name))
    known.withLock { known in known = known.filter { limited.contains($0.key) } }
  }
}
