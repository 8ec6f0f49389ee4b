import Cryptography
import Foundation
import Testing

extension SystemTests {
  @Test("a backend has its user connect by ticket, looks after the connection by the API, and hears of it by webhooks, each once for two instances")
  func connectByTicket() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 3600)
    defer { provider.stop() }
    let back = "http://127.0.0.1:\(provider.port)/done"
    let key = [UInt8](repeating: 9, count: 32)
    let deployment = try Deployment(
      processes: 2, connectable: provider.port,
      extra: """
        connect: { return_to: ["\(back)"] }
        webhooks: [{ id: backend, url: "http://127.0.0.1:\(provider.port)/hook", secret: "${env:HOOK_SECRET}", development: { allow_http: true, allow_private_addresses: true } }]
        """,
      environment: ["HOOK_SECRET": "whsec_" + Base64.encode(key)])
    let admins = deployment.processes.map(\.adminPort)
    let created = try deployment.postern("client", "create", "backend", "--grant", "client_credentials", "--scope", "postern.admin")
    let secret = try #require(created.output.components(separatedBy: .whitespacesAndNewlines).first { $0.hasPrefix("psk_") })
    let token = try HTTPClient.post(
      port: deployment.port, "/oauth/token", form: [("grant_type", "client_credentials")],
      fields: Deployment.basic("backend", secret))
    let bearer = ["Authorization": "Bearer \(try #require(token.json["access_token"] as? String))"]
    func api(_ method: String, _ path: String, _ body: String = "", instance: Int = 0) throws -> Answer {
      let fields = bearer.merging(["Content-Type": "application/json"]) { mine, _ in mine }
      return try HTTPClient.send(method, port: admins[instance], "/api/v1/\(path)", fields: fields, body: body)
    }
    #expect(try HTTPClient.get(port: admins[0], "/api/v1/connections").status == 401)
    // The API is the admin listener's alone.
    #expect(try HTTPClient.get(port: deployment.port, "/api/v1/connections", fields: bearer).status == 404)

    let issued = try api("POST", "connect-tickets", #"{"subject":"user-1","provider":"box","return_to":"\#(back)"}"#)
    #expect(issued.status == 201, "\(issued.text)")
    let link = try #require(issued.json["connect_url"] as? String)
    var browser = Browser(deployment)
    let page = try browser.visit("GET", String(link.dropFirst(browser.origin.count)))
    #expect(page.text.contains("user-1"))
    let sent = try browser.visit("POST", "/connect/box", form: Browser.hiddenFields(of: page.text))
    let origin = "http://127.0.0.1:\(provider.port)"
    let consent = try HTTPClient.get(
      port: provider.port, String(try #require(sent.field("Location")).dropFirst(origin.count)))
    let callback = String(try #require(consent.field("Location")).dropFirst(browser.origin.count))
    #expect(try browser.visit("GET", callback).field("Location") == back)
    #expect(try browser.visit("GET", callback).status == 400)

    let list = try api("GET", "connections?subject=user-1", instance: 1)
    let connection = try #require((list.json["connections"] as? [[String: Any]])?.first)
    #expect(connection["state"] as? String == "active" && connection["scopes"] as? [String] == ["read"], "\(list.text)")
    let id = try #require(connection["id"] as? String)
    #expect(try api("POST", "connections/\(id)/refresh", instance: 1).status == 200)
    #expect(provider.counts.refreshes == 1)
    #expect(try api("DELETE", "connections/\(id)").status == 204)
    #expect(provider.counts.revocations == 1)

    func delivered() throws -> Int {
      let log = try api("GET", "webhook-deliveries", instance: 1).json["deliveries"] as? [[String: Any]] ?? []
      return log.filter { $0["state"] as? String == "delivered" }.count
    }
    try deployment.waitUntil("both webhooks are delivered") { try delivered() == 2 }
    let types = provider.hooks.compactMap { hook in
      (try? JSONSerialization.jsonObject(with: Data(hook.body.utf8)) as? [String: Any])?["type"] as? String
    }
    #expect(types.sorted() == ["connection.created", "connection.revoked"])
    for hook in provider.hooks {
      let signed = Array("\(hook.id).\(hook.timestamp).\(hook.body)".utf8)
      #expect(hook.signature == "v1,\(Base64.encode(HMACSHA256.authenticate(signed, key: Secret(bytes: key)).bytes))")
      for token in provider.tokens { #expect(!hook.body.contains(token)) }
    }
    let dump = try deployment.dump()
    #expect(!dump.contains(try #require(issued.json["ticket"] as? String)))
  }
}
