import ReverseProxy

extension Upstream {
  /// Its name, its servers, how one of them is chosen, and what keeps them from being chosen.
  var explanation: String {
    let names = servers.map(\.description).joined(separator: ", ")
    var parts = [servers.count == 1 ? names : "\(balance.rawValue) of \(names)"]
    if let health { parts.append("while \(health.path) says that it is well") }
    if let requests = limits.requests { parts.append("at most \(requests) requests at each") }
    return "\(name): \(parts.joined(separator: "; "))"
  }
}
