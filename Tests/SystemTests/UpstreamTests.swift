import Foundation
import Testing

/// A process in front of servers that come and go.
extension SystemTests {
  @Test("A dead server beside a live one costs no request; with all dead the answer is 503 at once, until one is back")
  func deadServers() throws {
    let dead = "http://127.0.0.1:\(try freePort())"
    let health = "path: /healthz, every: 500ms, timeout: 10s, healthy_after: 1, unhealthy_after: 2"
    let deployment = try Deployment.starting(processes: 0) {
      $0.replacingOccurrences(
        of: "  cloudvault:\n    servers: [",
        with: "  cloudvault:\n    health: { \(health) }\n    servers: [\"\(dead)\", ")
    }
    let live = "http://127.0.0.1:\(deployment.cloudVaultPort)"
    try deployment.startCloudVault()
    let process = try deployment.launch()
    try process.waitUntilReady()
    let token = try deployment.serviceToken()

    for _ in 0..<40 { #expect(try deployment.proxied(token, port: process.port) == 200) }
    func isHealthy(_ server: String) throws -> Bool {
      let metrics = try HTTPClient.get(port: process.adminPort, "/metrics").text
      let line = metrics.split(separator: "\n").first { $0.hasPrefix("postern_upstream_server_healthy{upstream=\"cloudvault\",server=\"\(server)\"") }
      return try #require(line).hasSuffix(" 1")
    }
    try deployment.waitUntil("the dead server is known") { try !isHealthy(dead) }
    #expect(try isHealthy(live))

    deployment.stopCloudVault()
    try deployment.waitUntil("the other is known to be gone") { try !isHealthy(live) }
    let refused = try HTTPClient.get(port: process.port, "/plain/healthz", fields: ["Authorization": "Bearer \(token)"])
    #expect(refused.status == 503 && refused.field("Retry-After") == "1")
    #expect(refused.field("Proxy-Status") == "postern; error=destination_unavailable")
    #expect(refused.field("X-Request-Id") != nil && !refused.text.contains("127.0.0.1"))

    try deployment.startCloudVault()
    try deployment.waitUntil("it is known to be back") { try isHealthy(live) }
    for _ in 0..<10 { #expect(try deployment.proxied(token, port: process.port) == 200) }
    #expect(process.logText.contains("a server fails its health checks") && process.logText.contains("a server is well again"))
  }
}
