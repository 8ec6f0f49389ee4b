import GatewayServer

extension [UpstreamServerReport] {
  /// Prometheus' text format; as many samples as the configuration has servers, for each of their addresses.
  var exposition: [UInt8] {
    guard !isEmpty else { return [] }
    var text = ""
    func metric(_ name: String, _ type: String, _ help: String, _ value: (UpstreamServerReport) -> UInt64) {
      text += "# HELP postern_upstream_\(name) \(help)\n# TYPE postern_upstream_\(name) \(type)\n"
      for server in self {
        // None of the three can have a quote, a backslash or a line end.
        let labels = "upstream=\"\(server.key.upstream)\",server=\"\(server.key.origin)\",address=\"\(server.key.address)\""
        text += "postern_upstream_\(name){\(labels)} \(value(server))\n"
      }
    }
    metric("server_healthy", "gauge", "0 while a server fails its health checks.") { $0.isHealthy ? 1 : 0 }
    metric("server_ejecting_loops", "gauge", "Event loops that leave a server out because of its answers.") { $0.ejectingLoops }
    metric("server_requests_under_way", "gauge", "Requests at a server.") { $0.requestsUnderWay }
    metric("server_requests_total", "counter", "Requests sent to a server, further tries among them.") { $0.requests }
    metric("server_failures_total", "counter", "Requests that a server failed: no connection, no answer in time, 502, 503 or 504.") { $0.failures }
    metric("server_ejections_total", "counter", "Times that an event loop began to leave a server out.") { $0.ejections }
    return Array<UInt8>(text.utf8)
  }
}
