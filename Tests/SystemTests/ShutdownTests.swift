import Foundation
import Testing

/// How an instance takes leave of its load balancer and its clients.
extension SystemTests {
  @Test("Asked to stop, an instance says first that it is not ready, and serves on meanwhile; asked again, it stops")
  func readinessFailsFirst() throws {
    // Longer than the test may take: only the second signal ends it.
    let deployment = try Deployment.starting { $0.replacingOccurrences(of: "delay: 0s", with: "delay: 10m") }
    try deployment.startCloudVault()
    let process = deployment.processes[0]
    let token = try deployment.serviceToken()

    process.terminate()
    var readiness = try HTTPClient.get(port: process.adminPort, "/readyz")
    for _ in 0..<500 where readiness.status == 200 {
      usleep(20_000)
      readiness = try HTTPClient.get(port: process.adminPort, "/readyz")
    }
    #expect(readiness.status == 503 && readiness.text.contains("\"not stopping\":\"failing\""))
    #expect(readiness.field("Retry-After") != nil)
    #expect(try HTTPClient.get(port: process.adminPort, "/healthz").status == 200)
    for _ in 0..<10 { #expect(try deployment.proxied(token, port: process.port) == 200) }
    // On a connection that the client would keep: it is told to look for another.
    let request = "GET /plain/healthz HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n"
    let last = try HTTPClient.exchange(port: process.port, bytes: Data(request.utf8))
    #expect(last.status == 200 && last.field("Connection") == "close")

    #expect(process.stop() == 0)
  }

  @Test("Servers of upstreams stand in the metrics, by name and address")
  func upstreamMetrics() throws {
    let deployment = try Deployment()
    try deployment.startCloudVault()
    let labels = "{upstream=\"cloudvault\",server=\"http://127.0.0.1:\(deployment.cloudVaultPort)\",address=\"127.0.0.1:\(deployment.cloudVaultPort)\"}"
    let metrics = try HTTPClient.get(port: deployment.processes[0].adminPort, "/metrics").text
    #expect(metrics.contains("postern_upstream_server_healthy\(labels) 1\n"))
    #expect(metrics.contains("postern_upstream_server_requests_total\(labels) 0\n"))
  }
}
