import Foundation
import Testing

/// What an operator or a person takes back stops working everywhere.
extension SystemTests {
  @Test("A disabled account: its tokens die on every instance, its session ends, its codes and refresh tokens are worth nothing")
  func disabledAccount() throws {
    let deployment = try Deployment(processes: 2)
    try deployment.startCloudVault()
    let ports = deployment.processes.map(\.port)
    #expect(try deployment.postern("account", "create", "bob", "--password-stdin", input: "bob's password\n").status == 0)
    var browser = Browser(deployment)
    func newCode(_ proof: Browser.Proof) throws -> String {
      try #require(try browser.authorize(username: "bob", password: "bob's password", proof: proof).code)
    }
    let (first, second) = (Browser.Proof(), Browser.Proof())
    let tokens = try deployment.redeem(try newCode(first), first.verifier)
    let access = try #require(tokens.json["access_token"] as? String)
    let pending = try newCode(second)
    for port in ports { #expect(try deployment.proxied(access, port: port) == 200) }
    #expect(try browser.visit("GET", "/account").status == 200)

    #expect(try deployment.postern("account", "disable", "bob").status == 0)
    for port in ports { try deployment.expectRefusal(of: access, port: port) }
    for port in ports { #expect(try deployment.isActive(access, port: port) == false) }
    let refreshed = try deployment.refresh(try #require(tokens.json["refresh_token"] as? String))
    #expect(refreshed.error == "invalid_grant")
    #expect(try deployment.redeem(pending, second.verifier).error == "invalid_grant")
    #expect(try browser.visit("GET", "/account").status != 200)

    // What was ended stays ended.
    #expect(try deployment.postern("account", "disable", "bob", "--undo").status == 0)
    #expect(try browser.visit("GET", "/account").status != 200)
    #expect(try deployment.proxied(access, port: ports[0]) == 401)
    #expect(try deployment.redeem(pending, second.verifier).status == 200)
  }

  @Test("A disabled client: its opaque and its JWT tokens die on every instance")
  func disabledClient() throws {
    let deployment = try Deployment(processes: 2)
    try deployment.startCloudVault()
    for format in ["opaque", "jwt"] {
      let id = "batch-\(format)"
      let created = try deployment.postern(
        "client", "create", id, "--grant", "client_credentials", "--scope", "photos.read", "--token-format", format)
      let secret = try #require(
        created.output.components(separatedBy: .whitespacesAndNewlines).first { $0.hasPrefix("psk_") }, "\(created.errors)")
      let answer = try HTTPClient.post(
        port: deployment.port, "/oauth/token", form: [("grant_type", "client_credentials")],
        fields: Deployment.basic(id, secret))
      let token = try #require(answer.json["access_token"] as? String)
      #expect(token.hasPrefix("pat_") == (format == "opaque"))
      for process in deployment.processes { #expect(try deployment.proxied(token, port: process.port) == 200) }

      #expect(try deployment.postern("client", "disable", id).status == 0)
      for process in deployment.processes {
        try deployment.expectRefusal(of: token, port: process.port)
        #expect(try deployment.isActive(token, port: process.port) == false)
      }
    }
  }

  @Test("A withdrawn consent: the app's tokens die, and a code that it has not redeemed yet is worth nothing")
  func withdrawnConsent() throws {
    let deployment = try Deployment()
    var browser = Browser(deployment)
    let (first, second) = (Browser.Proof(), Browser.Proof())
    let used = try #require(try browser.authorize(password: deployment.password, proof: first).code)
    let access = try #require(try deployment.redeem(used, first.verifier).json["access_token"] as? String)
    let pending = try #require(try browser.authorize(password: deployment.password, proof: second).code)

    let csrf = Browser.hiddenFields(of: try browser.visit("GET", "/account").text).filter { $0.0 == "csrf" }
    let removed = try browser.visit("POST", "/account", form: csrf + [("client_id", "printmypics")])
    #expect(removed.field("Location") == "/account?removed")
    #expect(try deployment.isActive(access) == false)
    #expect(try deployment.redeem(pending, second.verifier).error == "invalid_grant")
  }
}

extension Deployment {
  /// The status of a call through the gateway.
  func proxied(_ token: String, port: Int) throws -> Int {
    try HTTPClient.get(port: port, "/plain/healthz", fields: ["Authorization": "Bearer \(token)"]).status
  }

  /// Waits until an instance refuses a token, on each of its loops.
  ///
  /// Changes reach an instance by NOTIFY; how soon is measured elsewhere, that they do is checked here. The kernel picks the
  /// loop of each connection, so one refusal says nothing of the others: many in a row do.
  func expectRefusal(of token: String, port: Int) throws {
    let deadline = Date().addingTimeInterval(10)
    var refusals = 0
    while refusals < 20, Date() < deadline {
      refusals = try proxied(token, port: port) == 401 ? refusals + 1 : 0
      if refusals == 0 { usleep(20_000) }
    }
    #expect(refusals == 20)
  }
}
