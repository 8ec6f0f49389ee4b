/// Why a list of routes is no table.
public struct RouteConflicts: Error, Sendable, Equatable {
  public let conflicts: [RouteConflict]
}

public struct RouteConflict: Sendable, Equatable, CustomStringConvertible {
  /// Index of the later of the routes concerned.
  public let index: Int
  /// One sentence that names the routes.
  public let description: String
}

extension RouteConflicts {
  static func find(in routes: [Route]) -> [RouteConflict] {
    var conflicts: [RouteConflict] = []
    if routes.count > RouteTable.routeCountMax {
      conflicts.append(
        RouteConflict(
          index: RouteTable.routeCountMax, description: "There are more than \(RouteTable.routeCountMax) routes."))
    }
    for (index, route) in routes.enumerated() {
      if let reserved = ReservedPaths.covering(route.pattern) {
        conflicts.append(
          RouteConflict(
            index: index,
            description: "Route \"\(route.name)\" would stand in front of Postern's own \(reserved); "
              + "choose another path."))
      }
      for earlier in routes[..<index] {
        if earlier.name == route.name {
          conflicts.append(RouteConflict(index: index, description: "There are two routes named \"\(route.name)\"."))
        }
        if let overlap = route.overlap(with: earlier) {
          conflicts.append(
            RouteConflict(
              index: index,
              description: "Routes \"\(earlier.name)\" and \"\(route.name)\" both serve \(overlap) \(route.pattern)."))
        }
      }
    }
    return conflicts
  }
}

extension Route {
  /// The methods that both routes claim for the same paths; nil when a request always belongs to one of them.
  fileprivate func overlap(with other: Route) -> String? {
    guard host == other.host, pattern == other.pattern else { return nil }
    if methods.isEmpty && other.methods.isEmpty { return "every method of" }
    let common = methods.intersection(other.methods).map(\.rawValue).sorted()
    return common.isEmpty ? nil : common.joined(separator: ", ")
  }
}
