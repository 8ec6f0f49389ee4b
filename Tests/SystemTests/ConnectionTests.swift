import Foundation
import Testing

extension SystemTests {
  @Test("DESIGN §5: a user connects; 50 parallel calls with an expired token on two instances cost one refresh; disconnecting ends it everywhere")
  func connection() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 1)
    defer { provider.stop() }
    let deployment = try Deployment(processes: 2, connectable: provider.port)
    let ports = deployment.processes.map(\.port)
    let bearer = try userToken(deployment)
    @Sendable func call(_ port: Int) throws -> Answer { try HTTPClient.get(port: port, "/box/things", fields: bearer) }

    for port in ports {
      let refused = try call(port)
      #expect(refused.status == 424)
      #expect(refused.json["connect_url"] as? String == "http://127.0.0.1:\(ports[0])/connect/box")
    }
    #expect(provider.counts.calls == 0)

    var browser = Browser(deployment)
    let account = try connect(&browser, provider, deployment)
    #expect(account.status == 200 && account.text.contains("Connected since"), "\(account.status) \(account.text)")
    #expect(provider.counts.codes == 1)
    let first = provider.tokens

    // The first token lives a second of real time.
    Thread.sleep(forTimeInterval: 1.2)
    let answers = inParallel(50) { index in try? call(ports[index % 2]) }
    #expect(answers.allSatisfy { $0?.status == 200 && $0?.text == provider.accessToken }, "\(answers.map { $0?.status })")
    #expect(provider.counts.refreshes == 1)
    #expect(first != provider.tokens)

    // Neither the database nor a log has any of the tokens.
    let dump = try deployment.dump()
    let logs = try deployment.processes.indices.map { index in
      try String(contentsOf: deployment.folder.appendingPathComponent("instance-\(index).log"), encoding: .utf8)
    }
    for token in first + provider.tokens {
      #expect(!dump.contains(token))
      for log in logs { #expect(!log.contains(token)) }
    }

    let page = try browser.visit("GET", "/account")
    let forms = page.text.components(separatedBy: "<form ")
    let form = try #require(forms.first { $0.contains("action=\"/account/disconnect\"") })
    let answer = try browser.visit("POST", "/account/disconnect", form: Browser.hiddenFields(of: form))
    #expect(answer.status == 303)
    #expect(provider.counts.revocations == 1)
    #expect(try call(ports[0]).status == 424)
    // The other instance hears of it.
    try deployment.waitUntil("the other instance refuses") { try call(ports[1]).status == 424 }
    #expect(provider.counts.refreshes == 1)
  }

  @Test("the command line lists, shows, refreshes and revokes a connection, and shows no token")
  func connectionCommands() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 3600)
    defer { provider.stop() }
    let deployment = try Deployment(processes: 1, connectable: provider.port)
    let bearer = try userToken(deployment)
    var browser = Browser(deployment)
    _ = try connect(&browser, provider, deployment)
    let first = provider.tokens

    let list = try deployment.postern("connection", "list", "--provider", "box")
    let fields = list.output.trimmingCharacters(in: .newlines).components(separatedBy: "\t")
    #expect(fields.count == 5 && fields[1] == "box" && fields[3] == "active", "\(list.output) \(list.errors)")
    #expect(try deployment.postern("connection", "list", "--provider", "cloudvault").output == "# no connections\n")
    let refreshed = try deployment.postern("connection", "refresh", fields[0])
    #expect(refreshed.status == 0 && refreshed.output.contains("generation 2"), "\(refreshed.output) \(refreshed.errors)")
    #expect(provider.counts.refreshes == 1)
    #expect(try HTTPClient.get(port: deployment.port, "/box/things", fields: bearer).text == provider.accessToken)
    let show = try deployment.postern("connection", "show", fields[0])
    #expect(show.output.contains("state:     active") && show.output.contains("on generation 1: stored"), "\(show.output)")
    for token in first + provider.tokens {
      for output in [list.output, refreshed.output, show.output] { #expect(!output.contains(token)) }
    }
    #expect(try deployment.postern("connection", "show", "nonsense").status != 0)
    #expect(try deployment.postern("connection", "revoke", fields[0]).status == 0)
    #expect(provider.counts.revocations == 1)
    try deployment.waitUntil("the connection has ended") {
      try HTTPClient.get(port: deployment.port, "/box/things", fields: bearer).status == 424
    }
    #expect(try deployment.postern("connection", "refresh", fields[0]).status != 0)
  }

  @Test("connections of another broker are taken over; a bad line imports nothing, and what is connected stays as it is")
  func importConnections() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 3600)
    defer { provider.stop() }
    let deployment = try Deployment(processes: 1, connectable: provider.port)
    let bearer = ["Authorization": "Bearer \(try deployment.serviceToken())"]
    func things() throws -> Answer { try HTTPClient.get(port: deployment.port, "/box/things", fields: bearer) }
    let token = provider.grantElsewhere()
    func line(_ provider: String, refreshToken: String) -> String {
      #"{"provider":"\#(provider)","subject":"nightly-report","access_token":"a","refresh_token":"\#(refreshToken)","expires_in":0}"#
    }
    #expect(try things().status == 424)
    let bad = try deployment.postern(
      "connection", "import", input: line("box", refreshToken: token) + "\n" + line("nowhere", refreshToken: token))
    #expect(bad.status != 0 && bad.errors.contains("line 2") && bad.errors.contains("nowhere"), "\(bad.errors)")
    #expect(!(bad.errors + bad.output).contains(token))
    #expect(try things().status == 424)

    let good = try deployment.postern("connection", "import", input: line("box", refreshToken: token))
    #expect(good.status == 0 && good.output.contains("Imported 1 of 1"), "\(good.output) \(good.errors)")
    try deployment.waitUntil("the connection is heard of") { try things().status == 200 }
    #expect(try things().text == provider.accessToken && provider.counts.refreshes == 1)
    let again = try deployment.postern("connection", "import", input: line("box", refreshToken: "another"))
    #expect(again.status == 0 && again.output.contains("Imported 0 of 1"), "\(again.output)")
    #expect(try things().text == provider.accessToken)
  }

  @Test("RFC 6749 §5.2: invalid_grant asks the user to connect again, once; connecting again heals it")
  func reconnect() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 1)
    defer { provider.stop() }
    let deployment = try Deployment(processes: 1, connectable: provider.port)
    let bearer = try userToken(deployment)
    var browser = Browser(deployment)
    _ = try connect(&browser, provider, deployment)
    provider.refuseRefreshes()
    Thread.sleep(forTimeInterval: 1.2)
    for _ in 0..<5 { #expect(try HTTPClient.get(port: deployment.port, "/box/things", fields: bearer).status == 424) }
    #expect(provider.counts.refreshes == 1)
    let account = try browser.visit("GET", "/account")
    #expect(account.text.contains("Connect again"))
    _ = try connect(&browser, provider, deployment)
    #expect(try HTTPClient.get(port: deployment.port, "/box/things", fields: bearer).status == 200)
  }

  @Test("DESIGN §5: on four instances, tokens that the upstream refuses cost one refresh and no client notices; refusing what comes after them costs none")
  func upstreamRefusal() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 3600)
    defer { provider.stop() }
    let deployment = try Deployment(processes: 4, connectable: provider.port)
    let ports = deployment.processes.map(\.port)
    let bearer = try userToken(deployment)
    @Sendable func call(_ number: Int) -> Int? {
      try? HTTPClient.get(port: ports[number % 4], "/box/things", fields: bearer).status
    }
    var browser = Browser(deployment)
    _ = try connect(&browser, provider, deployment)
    #expect(inParallel(8, call).allSatisfy { $0 == 200 })

    provider.endAccessTokens()
    let answers = inParallel(48, call)
    #expect(answers.allSatisfy { $0 == 200 }, "\(answers) \(deployment.warnings)")
    #expect(provider.counts.refreshes == 1)

    provider.refuseCalls()
    for _ in 0..<3 { #expect(inParallel(24, call).allSatisfy { $0 == 401 }) }
    #expect(provider.counts.refreshes == 1)
  }

  @Test("RFC 8693: at the token endpoint a client that may gets the token that its user has connected, and of no other provider")
  func vault() throws {
    let provider = try ScriptedOAuthProvider(firstLifetime: 3600)
    defer { provider.stop() }
    let grant = "urn:ietf:params:oauth:grant-type:token-exchange"
    let deployment = try Deployment(processes: 0, grant: grant, connectable: provider.port)
    let file = deployment.folder.appendingPathComponent("postern.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
    try text.replacingOccurrences(of: "rotation: strict\n", with: "rotation: strict\n    release: token_exchange\n")
      .write(to: file, atomically: true, encoding: .utf8)
    try deployment.launch().waitUntilReady()
    let bearer = try #require(try userToken(deployment)["Authorization"]?.dropFirst("Bearer ".count))
    func exchange(_ audience: String, as fields: [String: String]) throws -> Answer {
      try HTTPClient.post(
        port: deployment.port, "/oauth/token",
        form: [
          ("grant_type", grant), ("subject_token", String(bearer)), ("audience", audience),
          ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ], fields: fields)
    }
    let early = try exchange("box", as: deployment.printMyPics)
    #expect(early.status == 400 && early.error == "invalid_grant" && early.text.contains("/connect/box"))
    var browser = Browser(deployment)
    _ = try connect(&browser, provider, deployment)

    let answer = try exchange("box", as: deployment.printMyPics)
    #expect(answer.json["access_token"] as? String == provider.accessToken, "\(answer.text)")
    #expect((3500...3600).contains(answer.json["expires_in"] as? Int ?? 0))
    #expect(try exchange("cloudvault", as: deployment.printMyPics).error == "invalid_target")
    #expect(try exchange("box", as: deployment.nightlyReport).error == "unauthorized_client")
    #expect(provider.counts.refreshes == 0 && provider.counts.calls == 0)
    #expect(!deployment.processes[0].logText.contains(provider.accessToken))
  }
}
