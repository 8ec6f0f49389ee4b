import ReverseProxy

extension Upstream {
  /// Its name, its servers, and how one of them is chosen.
  var explanation: String {
    let names = servers.map(\.description).joined(separator: ", ")
    return servers.count == 1 ? "\(name): \(names)" : "\(name): \(balance.rawValue) of \(names)"
  }
}
