import ReverseProxy

extension Upstream {
  /// Its name, its servers, how one of them is chosen, and what keeps them from being chosen.
  var explanation: String {
    let names = servers.map(\.description).joined(separator: ", ")
    var parts = [servers.count == 1 ? names : "\(balance.rawValue) of \(names)"]
    switch applicationProtocol {
    case .http1: break
    case .http2: parts.append("in HTTP/2")
    case .negotiated: parts.append("in HTTP/2 where it is chosen")
    }
    if let health { parts.append("while \(health.path) says that it is well") }
    if let requests = limits.requests { parts.append("at most \(requests) requests at each") }
    return "\(name): \(parts.joined(separator: "; "))"
  }
}
