import Foundation
import Testing

/// What a route says about who may use it, and how, through a whole deployment.
extension SystemTests {
  /// Routes to the open health page of the CloudVault demo. They go in front of the others.
  private static let routes = """
    routes:
      - name: limited
        match: { path: /limited/** }
        require: { scopes: [photos.read] }
        upstream: cloudvault
        rewrite: { strip_prefix: /limited }
        limits: { rate: { key: client, rate: 5/h } }
        cors: { origins: ["https://app.example"] }
      - name: crm
        match: { path: /crm/** }
        require: { scopes: [photos.read], audience: "@ISSUER@/crm" }
        upstream: cloudvault
        rewrite: { strip_prefix: /crm }
      - name: pages
        match: { path: /pages/** }
        accept: [self, session]
        require: { scopes: [photos.read] }
        session: { scopes: [photos.read] }
        upstream: cloudvault
        rewrite: { strip_prefix: /pages }
    """

  private func deployment(processes: Int = 1) throws -> Deployment {
    let deployment = try Deployment(processes: 0)
    let file = deployment.folder.appendingPathComponent("postern.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
      .replacingOccurrences(of: "routes:", with: Self.routes)
      .replacingOccurrences(
        of: "grants: [client_credentials]", with: "grants: [client_credentials]\n    audiences: [\"@ISSUER@/crm\"]")
    try text.write(to: file, atomically: true, encoding: .utf8)
    for _ in 0..<processes { try deployment.launch() }
    for process in deployment.processes { try process.waitUntilReady() }
    try deployment.startCloudVault()
    return deployment
  }

  @Test("RFC 6585 §4: a client's requests over many connections and loops are counted together; what is beyond its rate gets 429")
  func rate() throws {
    let deployment = try deployment()
    let bearer = ["Authorization": "Bearer \(try deployment.serviceToken())", "Origin": "https://app.example"]
    let port = deployment.port
    let answers = inParallel(20) { _ in try? HTTPClient.get(port: port, "/limited/healthz", fields: bearer) }
    #expect(answers.count { $0?.status == 200 } == 5)
    let refused = try #require(answers.compactMap { $0 }.first { $0.status == 429 })
    #expect(answers.count { $0?.status == 429 } == 15)
    #expect(refused.field("RateLimit-Policy") == "\"limited\";q=5;w=3600")
    #expect(refused.field("RateLimit")?.hasPrefix("\"limited\";r=0;t=") == true)
    #expect((1...720).contains(Int(refused.field("Retry-After") ?? "") ?? 0))
    #expect(refused.json["type"] as? String == "urn:postern:error:rate_limited")
    #expect(refused.field("Access-Control-Allow-Origin") == "https://app.example", "apps can read it")
    let explained = try deployment.postern("explain", "GET", "/limited/healthz", "-H", "Authorization: \(bearer["Authorization"]!)")
    #expect(explained.output.contains("\"limited\";q=5;w=3600, per client"))
  }

  @Test("Fetch §3.3: a route with cors answers preflights itself and tells its origin's scripts what they may read")
  func crossOrigin() throws {
    let deployment = try deployment()
    let preflight = try HTTPClient.send(
      "OPTIONS", port: deployment.port, "/limited/healthz",
      fields: ["Origin": "https://app.example", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"])
    #expect(preflight.status == 204)
    #expect(preflight.field("Access-Control-Allow-Origin") == "https://app.example")
    #expect(preflight.field("Access-Control-Allow-Headers")?.contains("Authorization") == true)
    let refused = try HTTPClient.get(port: deployment.port, "/limited/healthz", fields: ["Origin": "https://app.example"])
    #expect(refused.status == 401 && refused.field("Access-Control-Allow-Origin") == "https://app.example")
    let bearer = "Bearer \(try deployment.serviceToken())"
    for (origin, allowed) in [("https://app.example", "https://app.example"), ("https://evil.example", nil), ("null", nil)] {
      let answer = try HTTPClient.get(
        port: deployment.port, "/limited/healthz", fields: ["Origin": origin, "Authorization": bearer])
      #expect(answer.status == 200 && answer.field("Access-Control-Allow-Origin") == allowed)
      #expect(answer.fields("Vary").contains("Origin"))
    }
  }

  @Test("RFC 9728 §5.1, RFC 8707 §2: from the challenge to the metadata to a token that gets in, without prior knowledge")
  func discovery() throws {
    let deployment = try deployment()
    func token(_ resource: String?) throws -> Answer {
      try HTTPClient.post(
        port: deployment.port, "/oauth/token",
        form: [("grant_type", "client_credentials")] + (resource.map { [("resource", $0)] } ?? []), fields: deployment.nightlyReport)
    }
    func call(_ token: Answer) throws -> Int {
      try HTTPClient.get(
        port: deployment.port, "/crm/healthz",
        fields: ["Authorization": "Bearer \(token.json["access_token"] as? String ?? "")"]).status
    }
    let challenge = try #require(
      try HTTPClient.get(port: deployment.port, "/crm/healthz").field("WWW-Authenticate"))
    let url = try #require(
      challenge.components(separatedBy: "resource_metadata=\"").last?.split(separator: "\"").first.flatMap { URL(string: String($0)) })
    #expect(url.path == "/.well-known/oauth-protected-resource/crm")
    let metadata = try HTTPClient.get(port: deployment.port, url.path)
    #expect(metadata.status == 200 && metadata.field("Access-Control-Allow-Origin") == "*")
    let resource = try #require(metadata.json["resource"] as? String)
    #expect(resource == "http://127.0.0.1:\(deployment.port)/crm")
    #expect(metadata.json["authorization_servers"] as? [String] == ["http://127.0.0.1:\(deployment.port)"])
    #expect(metadata.json["scopes_supported"] as? [String] == ["photos.read"])

    #expect(try call(token(resource)) == 200)
    #expect(try call(token(nil)) == 401)
    #expect(try token("https://elsewhere.example").error == "invalid_target")
    let root = try HTTPClient.get(port: deployment.port, "/.well-known/oauth-protected-resource")
    #expect(root.json["resource"] as? String == "http://127.0.0.1:\(deployment.port)")
    #expect(try HTTPClient.get(port: deployment.port, "/.well-known/oauth-protected-resource/nowhere").status == 404)
  }

  @Test("A person without a session is sent to sign in and comes back; signing out on one instance ends it on every instance")
  func sessions() throws {
    let deployment = try deployment(processes: 2)
    let other = deployment.processes[1].port
    let target = "/pages/healthz?from=mail&x=%2F"
    let navigation = ["Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"]
    let sent = try HTTPClient.get(port: deployment.port, target, fields: navigation)
    #expect(sent.status == 302)
    let login = try #require(sent.field("Location"))
    #expect(login.hasPrefix("http://127.0.0.1:\(deployment.port)/login?return="))
    #expect(try HTTPClient.get(port: deployment.port, target).status == 401)

    var browser = Browser(deployment)
    let page = try browser.visit("GET", String(login.dropFirst("http://127.0.0.1:\(deployment.port)".count)))
    let form = Browser.hiddenFields(of: page.text) + [("username", "alice"), ("password", deployment.password)]
    let back = try browser.visit("POST", "/login", form: form)
    #expect(back.status == 303 && back.field("Location") == target)
    #expect(try browser.visit("GET", target).status == 200)
    let session = try #require(browser.cookieValues.first)
    let cookie = ["Cookie": "postern=\(session)"]
    let ports = [deployment.port, other]
    for port in ports { #expect(try HTTPClient.get(port: port, "/pages/healthz", fields: cookie).status == 200) }

    // Another site's page cannot use it; a page of this one can.
    let origin = "http://127.0.0.1:\(deployment.port)"
    for (name, value, isRefused) in [
      ("Origin", "https://evil.example", true), ("Sec-Fetch-Site", "cross-site", true), ("X", "y", true), ("Origin", origin, false),
    ] {
      let answer = try HTTPClient.send("POST", port: deployment.port, "/pages/healthz", fields: cookie.merging([name: value]) { $1 })
      #expect((answer.status == 403) == isRefused, "\(name): \(value): \(answer.status)")
    }
    let explained = try deployment.postern("explain", "GET", target, "-H", "Cookie: postern=\(session)")
    #expect(explained.status == 0 && explained.output.contains("of subject user:alice"), "\(explained.output)\(explained.errors)")
    #expect(!explained.output.contains(session))

    let account = try browser.visit("GET", "/account")
    let csrf = Browser.hiddenFields(of: account.text).filter { $0.0 == "csrf" }
    #expect(try browser.visit("POST", "/logout", form: csrf).status == 303)
    for port in ports {
      var refusals = 0
      let deadline = Date().addingTimeInterval(10)
      while refusals < 20, Date() < deadline {
        refusals = try HTTPClient.get(port: port, "/pages/healthz", fields: cookie).status == 401 ? refusals + 1 : 0
        if refusals == 0 { usleep(20_000) }
      }
      #expect(refusals == 20)
    }
  }
}
