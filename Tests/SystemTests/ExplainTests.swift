import Foundation
import Testing

extension SystemTests {
  @Test("postern explain tells by its exit status what the gateway answers, and shows no secret")
  func explain() throws {
    let deployment = try Deployment()
    try deployment.startCloudVault()
    let token = try deployment.serviceToken()
    let authorization = "Authorization: Bearer \(token)"

    let forwarded = try deployment.postern("explain", "GET", "/photos/1?size=small", "-H", authorization)
    #expect(forwarded.status == 0, "\(forwarded.errors)")
    #expect(forwarded.output.contains("GET /api/v1/photos/1?size=small HTTP/1.1"))
    #expect(forwarded.output.contains("client_credentials of provider cloudvault"))
    #expect(forwarded.output.contains("Authorization: <redacted>"))
    let piped = try deployment.postern("explain", "GET", "/photos/1?size=small", "-H", "@-", input: authorization)
    #expect(piped.output == forwarded.output)

    func refused(_ method: String, _ url: String, _ fields: String...) throws -> String {
      let answer = try Finished.run(
        PosternProcess.binary,
        ["explain", method, url, "--config", deployment.folder.appendingPathComponent("instance-0.yaml").path]
          + fields.flatMap { ["-H", $0] },
        environment: deployment.environment.merging(["POSTERN_LOG": "warning"]) { $1 })
      #expect(answer.status == 1, "\(method) \(url): \(answer.output)\(answer.errors)")
      #expect(!answer.output.contains(token))
      return answer.output
    }
    #expect(try refused("GET", "/photos/1").contains("Refused with status 401, missing_token"))
    #expect(try refused("GET", "/photos/1", "Authorization: Bearer pat_x").contains("Refused with status 401, invalid_token"))
    #expect(try refused("POST", "http://127.0.0.1/photos/1").contains("Refused with status 405, method_not_allowed"))
    #expect(try refused("GET", "/nowhere").contains("Refused with status 404, route_not_found"))
    #expect(try refused("GET", "/photos/../plain").contains("Refused with status 400, bad_target"))
    #expect(try refused("GET", "/oauth/jwks").contains("Not forwarded"))
    for secret in [token, deployment.cloudVaultSecret] { #expect(!forwarded.output.contains(secret)) }

    #expect(try HTTPClient.post(
      port: deployment.port, "/oauth/revoke", form: [("token", token)], fields: deployment.nightlyReport
    ).status == 200)
    #expect(try refused("GET", "/photos/1", authorization).contains("Refused with status 401, invalid_token"))
  }

  @Test("postern explain tells a mistake on its command line in one sentence")
  func explainMistakes() throws {
    let deployment = try Deployment(processes: 1)
    let noURL = try deployment.postern("explain", "GET", "photos")
    #expect(noURL.status == 1)
    #expect(noURL.errors.contains("\"photos\" is no URL"))
    let split = try deployment.postern("explain", "GET", "/photos", "-H", "A: b\r\nC: d")
    #expect(split.status == 1)
    #expect(split.errors.contains("one line each"))
  }
}
