import Foundation
import Testing

/// `kill -9` of the instance that refreshes a connection, at the three moments that differ. The provider rotates strictly.
extension SystemTests {
  @Test("DESIGN §5: kill -9 before the call, after the answer and after commit: nothing is lost but what the provider has rotated away, which is told as in doubt, and nobody loops")
  func killRefreshingInstance() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 1)
    defer { provider.stop() }
    let deployment = try Deployment(processes: 0, connectable: provider.port)
    // Nothing is refreshed but by those who ask.
    let file = deployment.folder.appendingPathComponent("postern.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
    try text.replacingOccurrences(of: "rotation: strict\n", with: "rotation: strict\n    keep_fresh: 0s\n")
      .write(to: file, atomically: true, encoding: .utf8)
    for _ in 0..<4 { try deployment.launch() }
    for process in deployment.processes { try process.waitUntilReady() }
    let survivor = deployment.processes[0]
    let bearer = try userToken(deployment)
    func call(_ process: PosternProcess) throws -> Answer { try HTTPClient.get(port: process.port, "/box/things", fields: bearer) }
    /// A connection whose token has ended.
    func connectAnew() throws {
      var browser = Browser(deployment)
      _ = try connect(&browser, provider, deployment)
      Thread.sleep(forTimeInterval: 1.2)
    }
    /// The refresh of an instance that dies of it; others need not wait for the lease to run out.
    func die(_ index: Int, late: Bool) throws {
      let victim = deployment.processes[index]
      provider.interrupt(late: late) { victim.kill() }
      #expect(throws: HTTPClient.NoAnswer.self) { try call(victim) }
      #expect(try deployment.sql("SELECT attempt_open FROM connection_credential WHERE lease_until > now()") == "t\n")
      try deployment.sql("UPDATE connection_credential SET lease_until = now() WHERE lease_until > now()")
    }

    // The provider has done nothing yet.
    try connectAnew()
    try die(1, late: false)
    let healed = try call(survivor)
    #expect(healed.status == 200 && healed.text == provider.accessToken)
    #expect(provider.counts.refreshes == 1)

    // Everything is stored.
    try connectAnew()
    #expect(try call(deployment.processes[3]).text == provider.accessToken)
    deployment.processes[3].kill()
    #expect(try call(survivor).text == provider.accessToken)
    #expect(provider.counts.refreshes == 2)

    // The provider has rotated, and its answer is lost.
    try connectAnew()
    try die(2, late: true)
    for _ in 0..<5 { #expect(try call(survivor).status == 424) }
    #expect(provider.counts.refreshes == 4)
    #expect(try deployment.postern("connection", "list").output.contains("needs_reauth(rotation_in_doubt)"))
    try connectAnew()
    #expect(try call(survivor).status == 200)
  }
}
