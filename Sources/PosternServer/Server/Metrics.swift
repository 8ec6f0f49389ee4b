import GatewayServer

extension EngineCounters {
  /// Prometheus' text format. Source: Prometheus, Exposition formats, 0.0.4.
  ///
  /// - Parameter isConfigurationCurrent: false while a file with mistakes waits to be mended, or a changed one for a restart.
  func exposition(isConfigurationCurrent: Bool) -> [UInt8] {
    var text = ""
    func metric(_ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: UInt64)]) {
      text += "# HELP postern_\(name) \(help)\n# TYPE postern_\(name) \(type)\n"
      for sample in samples { text += "postern_\(name)\(sample.labels) \(sample.value)\n" }
    }
    let classes = ["2xx", "3xx", "4xx", "5xx"]
    metric(
      "responses_total", "counter", "Final responses by status class.",
      classes.enumerated().map { ("{class=\"\($1)\"}", responses[$0 + 1]) })
    metric("proxied_requests_total", "counter", "Requests sent to an upstream.", [("", proxiedRequests)])
    metric("endpoint_requests_total", "counter", "Requests to Postern's own endpoints.", [("", endpointRequests)])
    metric("refused_messages_total", "counter", "Messages refused as malformed.", [("", refusedMessages)])
    metric("upstream_errors_total", "counter", "Requests that an upstream failed.", [("", upstreamErrors)])
    metric("upstream_connections_total", "counter", "Connections opened to upstreams.", [("", upstreamConnections)])
    metric("upstream_retries_total", "counter", "Requests sent again on a fresh connection.", [("", upstreamRetries)])
    metric("truncated_responses_total", "counter", "Responses that an upstream broke off.", [("", truncatedResponses)])
    metric("token_cache_hits_total", "counter", "Tokens answered from memory.", [("", tokenHits)])
    metric("token_cache_misses_total", "counter", "Tokens that had to be looked up.", [("", tokenMisses)])
    metric("websockets_total", "counter", "Requests that became WebSockets.", [("", webSockets)])
    metric(
      "ended_streams_total", "counter", "Exchanges under way that were cut, by what had become of their token.",
      [("{reason=\"revoked\"}", revokedStreams), ("{reason=\"expired\"}", expiredStreams)])
    metric("client_connections", "gauge", "Open client connections.", [("", clientConnections)])
    metric("refused_connections_total", "counter", "Connections beyond the share of one source.", [("", refusedConnections)])
    metric(
      "tls_handshakes_total", "counter", "TLS handshakes of clients by result.",
      [("{result=\"done\"}", tlsHandshakes), ("{result=\"failed\"}", failedHandshakes)])
    metric(
      "configuration_is_current", "gauge", "1 while the configuration file, as it was read last, is what is served.",
      [("", isConfigurationCurrent ? 1 : 0)])
    return Array(text.utf8)
  }
}
