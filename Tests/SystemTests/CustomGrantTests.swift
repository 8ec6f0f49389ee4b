import Foundation
import Testing

extension SystemTests {
  private static let companionCode = "urn:example:grant:companion-code"

  @Test("RFC 6749 §4.5: a grant of one's own is in the metadata, and one code yields one token over two processes")
  func customGrant() throws {
    let code = "companion-\(UUID().uuidString)"
    let deployment = try Deployment(
      program: PosternProcess.customGrantServer, processes: 2, grant: Self.companionCode,
      environment: [
        "COMPANION_CODE": code, "COMPANION_CODE_EXPIRES_AT": String(Int(Date().timeIntervalSince1970) + 600),
      ])
    @Sendable func redeem(
      _ code: String, scope: String? = nil, port: Int? = nil, as client: [String: String]? = nil
    ) throws -> Answer {
      var form = [("grant_type", Self.companionCode), ("companion_code", code)]
      if let scope { form.append(("scope", scope)) }
      return try HTTPClient.post(
        port: port ?? deployment.port, "/oauth/token", form: form, fields: client ?? deployment.printMyPics)
    }
    let metadata = try HTTPClient.get(port: deployment.port, "/.well-known/oauth-authorization-server")
    #expect((metadata.json["grant_types_supported"] as? [String])?.contains(Self.companionCode) == true)

    // Nothing of this consumes the code.
    let wider = try redeem(code, scope: "photos.read albums.list")
    #expect(wider.status == 400 && wider.error == "invalid_scope")
    #expect(wider.field("Cache-Control") == "no-store")
    #expect(try redeem("another").error == "invalid_grant")
    #expect(try redeem(code, as: deployment.nightlyReport).error == "unauthorized_client")

    let ports = deployment.processes.map(\.port)
    let answers = inParallel(100) { index in try? redeem(code, port: ports[index % 2]) }
    #expect(answers.filter { $0?.status == 200 }.count == 1)
    #expect(answers.filter { $0?.status == 400 && $0?.error == "invalid_grant" }.count == 99)
    #expect(answers.allSatisfy { $0?.field("Cache-Control") == "no-store" })

    let won = try #require(answers.compactMap { $0 }.first { $0.status == 200 })
    #expect(won.json["scope"] as? String == "photos.read")
    let refreshed = try deployment.refresh(try #require(won.json["refresh_token"] as? String), port: ports[1])
    #expect(refreshed.status == 200, "\(refreshed.text)")
    #expect(try deployment.isActive(try #require(refreshed.json["access_token"] as? String)))
    #expect(!deployment.processes.contains { $0.logText.contains(code) })
  }

  @Test("A grant that a program does not have is a mistake in its configuration, told with its place")
  func unknownGrant() throws {
    let deployment = try Deployment(processes: 0, grant: Self.companionCode)
    let file = deployment.folder.appendingPathComponent("unknown-grant.yaml")
    try String(contentsOf: deployment.folder.appendingPathComponent("postern.yaml"), encoding: .utf8)
      .replacingOccurrences(of: "@ISSUER@", with: "http://127.0.0.1:8080")
      .replacingOccurrences(of: "@PORT@", with: "8080").replacingOccurrences(of: "@ADMIN@", with: "9090")
      .write(to: file, atomically: true, encoding: .utf8)
    func check(_ program: URL) throws -> Finished {
      try Finished.run(program, ["check", "--config", file.path], environment: deployment.environment)
    }
    let refused = try check(PosternProcess.binary)
    #expect(refused.status != 0)
    #expect(refused.errors.contains("unknown-grant.yaml:14:65:"))
    #expect(refused.errors.contains("this program has no grant \"\(Self.companionCode)\""))
    let accepted = try check(PosternProcess.customGrantServer)
    #expect(accepted.status == 0, "\(accepted.errors)")
  }
}
