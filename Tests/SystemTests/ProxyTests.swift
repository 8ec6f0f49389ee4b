import Foundation
import Testing

extension SystemTests {
  @Test("A proxied call carries Postern's own bearer token upstream, and the caller's nowhere")
  func injection() throws {
    let deployment = try Deployment()
    try deployment.startCloudVault()
    let token = try deployment.serviceToken()
    let bearer = ["Authorization": "Bearer \(token)"]

    let photos = try HTTPClient.get(port: deployment.port, "/photos", fields: bearer)
    #expect(photos.status == 200, "\(photos.text)")
    // Without a credential of its own the same upstream refuses: the caller's token did not reach it as a credential.
    #expect(try HTTPClient.get(port: deployment.port, "/plain/api/v1/photos", fields: bearer).status == 401)
  }

  @Test("RFC 6750 §3.1: no token, a garbled one, a revoked one and a narrow one are refused; the upstream is not asked")
  func refusals() throws {
    let deployment = try Deployment(processes: 2)
    func get(_ fields: [String: String], port: Int? = nil) throws -> Answer {
      try HTTPClient.get(port: port ?? deployment.port, "/plain/healthz", fields: fields)
    }
    let none = try get([:])
    #expect(none.status == 401)
    #expect(none.field("WWW-Authenticate")?.hasPrefix("Bearer") == true)
    #expect(try get(["Authorization": "Bearer pat_garbage"]).status == 401)
    #expect(try HTTPClient.get(port: deployment.port, "/plain/healthz?access_token=x").status == 401)

    let proof = Browser.Proof()
    let narrow = try deployment.redeem(try deployment.newCode(proof, scope: "albums.list"), proof.verifier)
    let narrowToken = try #require(narrow.json["access_token"] as? String)
    let forbidden = try get(["Authorization": "Bearer \(narrowToken)"])
    #expect(forbidden.status == 403)
    #expect(forbidden.field("WWW-Authenticate")?.contains("insufficient_scope") == true)

    try deployment.startCloudVault()
    let token = try deployment.serviceToken()
    let bearer = ["Authorization": "Bearer \(token)"]
    let other = deployment.processes[1].port
    #expect(try get(bearer).status == 200)
    #expect(try get(bearer, port: other).status == 200)
    let revoked = try HTTPClient.post(port: deployment.port, "/oauth/revoke", form: [("token", token)], fields: deployment.nightlyReport)
    #expect(revoked.status == 200)
    try deployment.expectRefusal(of: token, port: other)
    #expect(try get(bearer).status == 401)
  }

  @Test("RFC 8414: the metadata names exactly the registered grants, and its endpoints answer")
  func metadata() throws {
    let deployment = try Deployment()
    let answer = try HTTPClient.get(port: deployment.port, "/.well-known/oauth-authorization-server")
    #expect(answer.status == 200)
    #expect(answer.json["issuer"] as? String == "http://127.0.0.1:\(deployment.port)")
    #expect(Set(answer.json["grant_types_supported"] as? [String] ?? []) == ["authorization_code", "client_credentials", "refresh_token"])
    #expect(answer.json["authorization_response_iss_parameter_supported"] as? Bool == true)
    for name in ["jwks_uri", "authorization_endpoint"] {
      let url = try #require((answer.json[name] as? String).flatMap { URL(string: $0) })
      #expect(try HTTPClient.get(port: deployment.port, url.path).status < 500)
    }
  }
}
