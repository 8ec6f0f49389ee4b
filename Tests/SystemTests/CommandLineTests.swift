import Foundation
import Testing

extension SystemTests {
  @Test("Clients made on the command line work at once, rotate without an outage, and stop when disabled")
  func clientLifecycle() throws {
    let deployment = try Deployment()
    func token(_ secret: String) throws -> Answer {
      try HTTPClient.post(
        port: deployment.port, "/oauth/token", form: [("grant_type", "client_credentials")],
        fields: Deployment.basic("batch", secret))
    }
    func secret(in output: String) throws -> String {
      try #require(output.components(separatedBy: .whitespacesAndNewlines).first { $0.hasPrefix("psk_") })
    }

    let created = try deployment.postern("client", "create", "batch", "--grant", "client_credentials", "--scope", "photos.read")
    #expect(created.status == 0, "\(created.errors)")
    let first = try secret(in: created.output)
    #expect(try token(first).status == 200)
    #expect(try deployment.postern("client", "create", "batch", "--grant", "client_credentials").status != 0)

    let listed = try deployment.postern("client", "list")
    #expect(listed.output.contains("batch"))
    #expect(listed.output.contains("printmypics"))
    #expect(!listed.output.contains("psk_"))

    let rotated = try deployment.postern("client", "rotate-secret", "batch")
    #expect(rotated.status == 0, "\(rotated.errors)")
    let second = try secret(in: rotated.output)
    #expect(second != first)
    #expect(try token(second).status == 200)

    let issued = try #require(try token(second).json["access_token"] as? String)
    let inspected = try deployment.postern("token", "inspect", input: issued)
    #expect(inspected.status == 0, "\(inspected.errors)")
    #expect(inspected.output.contains("batch"))
    #expect(!inspected.output.contains(issued))
    #expect(try deployment.postern("token", "revoke", input: issued).status == 0)
    #expect(try deployment.isActive(issued) == false)

    #expect(try deployment.postern("client", "disable", "batch").status == 0)
    try deployment.waitUntil("the client is turned away") { try token(second).status == 401 }
  }

  @Test("Accounts made on the command line can sign in, and cannot once disabled")
  func accountLifecycle() throws {
    let deployment = try Deployment()
    let proof = Browser.Proof()
    #expect(try deployment.postern("account", "create", "bob", "--password-stdin", input: "first password\n").status == 0)
    var browser = Browser(deployment)
    #expect(try browser.authorize(username: "bob", password: "first password", proof: proof).code != nil)
    #expect(try deployment.postern("account", "set-password", "bob", "--password-stdin", input: "second password\n").status == 0)
    var again = Browser(deployment)
    #expect(try again.authorize(username: "bob", password: "second password", proof: proof).code != nil)
    #expect(try deployment.postern("account", "disable", "bob").status == 0)
    var refused = Browser(deployment)
    #expect(throws: Failure.self) { try refused.authorize(username: "bob", password: "second password", proof: proof) }
  }

  @Test("A mistake ends with status 1 or more and one sentence that says what to do")
  func mistakes() throws {
    let deployment = try Deployment(processes: 0)
    let missing = try Finished.run(PosternProcess.binary, ["check", "--config", "/nonexistent.yaml"])
    #expect(missing.status != 0)
    #expect(missing.errors.contains("/nonexistent.yaml"))
    let file = deployment.folder.appendingPathComponent("bad.yaml")
    try "issuer: https://auth.example.com\nlissten: []\n".write(to: file, atomically: true, encoding: .utf8)
    let unknown = try Finished.run(PosternProcess.binary, ["check", "--config", file.path])
    #expect(unknown.status != 0)
    #expect(unknown.errors.contains("bad.yaml:2:1"))
    #expect(unknown.errors.contains("listen"))
  }

  @Test("postern dev looks at its ports before it starts anything", arguments: [
    (["--port", "0"], "--port"), (["--cloudvault-port", "65536"], "--cloudvault-port"),
    (["--admin-port", "-1"], "--admin-port"), (["--admin-port", "8080"], "--admin-port"),
    (["--port", "7000", "--cloudvault-port", "7000"], "--cloudvault-port"),
  ])
  func devPorts(options: [String], named: String) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-dev-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    // As one word: a number below zero is no option of its own.
    let words = stride(from: 0, to: options.count, by: 2).map { "\(options[$0])=\(options[$0 + 1])" }
    let refused = try Finished.run(PosternProcess.binary, ["dev", "--directory", folder.path] + words)
    #expect(refused.status != 0)
    #expect(refused.errors.contains(named))
    #expect(!FileManager.default.fileExists(atPath: folder.path))
  }
}
