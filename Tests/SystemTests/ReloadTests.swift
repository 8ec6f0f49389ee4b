import Foundation
import Testing

/// Reading the configuration again while the process serves.
extension SystemTests {
  @Test("Twenty changed configurations under load: no request fails, the new route serves, the one before is 404")
  func reloadUnderLoad() throws {
    let deployment = try Deployment(extra: Deployment.route("era-0"))
    try deployment.startCloudVault()
    let bearer = try deployment.serviceToken()
    let load = Load(port: deployment.port, "/plain/healthz", bearer: bearer, connections: 4)
    for era in 1...20 {
      try deployment.reconfigure { $0.replacingOccurrences(of: "era-\(era - 1)", with: "era-\(era)") }
      // Every other time the change of the file has to be enough.
      if era % 5 != 0 { deployment.processes[0].hangUp() }
      try deployment.waitUntil("era-\(era) is served") {
        // Each connection may meet another loop.
        try (0..<8).allSatisfy { _ in try deployment.status("/era-\(era)/healthz", bearer: bearer) == 200 }
      }
      try deployment.waitUntil("era-\(era - 1) is gone") {
        try (0..<8).allSatisfy { _ in try deployment.status("/era-\(era - 1)/healthz", bearer: bearer) == 404 }
      }
    }
    let (answered, failures) = load.stop()
    #expect(failures == [])
    #expect(answered > 20)
  }

  @Test("A file with mistakes is refused with all of them, by line and column; the one before serves on, the next good one is taken")
  func badFile() throws {
    let deployment = try Deployment(extra: Deployment.route("kept"))
    try deployment.startCloudVault()
    let bearer = try deployment.serviceToken()
    let good = try deployment.configurationText()
    try deployment.reconfigure { _ in
      good.replacingOccurrences(of: "scopes: [read_photos]", with: "scopez: [read_photos]")
        .replacingOccurrences(of: "name: kept", with: "name: kept\n    upstrem: x")
    }
    deployment.processes[0].hangUp()
    let lines = try deployment.configurationText().components(separatedBy: "\n")
    let first = try #require(lines.firstIndex { $0.contains("scopez") }) + 1
    let second = try #require(lines.firstIndex { $0.contains("upstrem:") }) + 1
    try deployment.waitUntil("the refusal is logged") {
      deployment.processes[0].logText.contains("the one before serves on")
    }
    let log = deployment.processes[0].logText
    #expect(log.contains("instance-0.yaml:\(first):5: "))
    #expect(log.contains("instance-0.yaml:\(second):5: "))
    let metrics = try HTTPClient.get(port: deployment.processes[0].adminPort, "/metrics").text
    #expect(metrics.contains("postern_configuration_is_current 0\n"))
    #expect(try deployment.status("/kept/healthz", bearer: bearer) == 200)

    try deployment.reconfigure { _ in good.replacingOccurrences(of: "kept", with: "mended") }
    try deployment.waitUntil("the good file is taken") { try deployment.status("/mended/healthz", bearer: bearer) == 200 }
    try deployment.waitUntil("the metrics say so") {
      try HTTPClient.get(port: deployment.processes[0].adminPort, "/metrics").text.contains("postern_configuration_is_current 1\n")
    }
  }

  @Test("What needs a restart is named in one warning and stays; the rest of the file is taken")
  func needsRestart() throws {
    let deployment = try Deployment(extra: Deployment.route("before"))
    try deployment.startCloudVault()
    let bearer = try deployment.serviceToken()
    try deployment.reconfigure {
      $0.replacingOccurrences(of: "issuer: http://127.0.0.1:\(deployment.port)", with: "issuer: http://127.0.0.1:1")
        .replacingOccurrences(of: "id: k1,", with: "id: k9,").replacingOccurrences(of: "active: k1", with: "active: k9")
        .replacingOccurrences(of: "before", with: "after")
    }
    deployment.processes[0].hangUp()
    try deployment.waitUntil("the route is taken") { try deployment.status("/after/healthz", bearer: bearer) == 200 }
    try deployment.waitUntil("the warning is logged") {
      deployment.processes[0].logText.contains("a restart is needed to change issuer, keys;")
    }
    #expect(try deployment.metadata()["issuer"] as? String == "http://127.0.0.1:\(deployment.port)")
    #expect(try deployment.isActive(deployment.serviceToken()))
  }

  @Test("Clients, secrets, grants and accounts of the file change without a restart; what is gone stops working at once")
  func clientsAndGrants() throws {
    let deployment = try Deployment()
    try deployment.startCloudVault()
    func ask(_ id: String, _ secret: String) throws -> Int {
      try HTTPClient.post(
        port: deployment.port, "/oauth/token", form: [("grant_type", "client_credentials")],
        fields: Deployment.basic(id, secret)
      ).status
    }
    let token = try deployment.serviceToken()
    #expect(try deployment.status("/plain/healthz", bearer: token) == 200)
    let jwt = try deployment.serviceJWT()
    #expect(try deployment.status("/plain/healthz", bearer: jwt) == 200)
    let proof = Browser.Proof()
    let granted = try deployment.redeem(try deployment.newCode(proof), proof.verifier)
    let access = try #require(granted.json["access_token"] as? String)
    let refresh = try #require(granted.json["refresh_token"] as? String)
    #expect(try deployment.status("/plain/healthz", bearer: access) == 200)

    // Another secret: the old one ends, tokens stay.
    let secret = "another-secret-\(UUID().uuidString)"
    let secretFile = deployment.folder.appendingPathComponent("secret")
    try secret.write(to: secretFile, atomically: true, encoding: .utf8)
    try deployment.reconfigure {
      $0.replacingOccurrences(
        of: "name: Nightly report\n    secret: \"${env:REPORT_SECRET}\"",
        with: "name: Nightly report\n    secret: \"${file:\(secretFile.path)}\"")
    }
    try deployment.waitUntil("the new secret is read") { deployment.processes[0].logText.contains("as it is now") }
    #expect(try ask("nightly-report", secret) == 200)
    #expect(try ask("nightly-report", deployment.serviceSecret) == 401)
    #expect(try deployment.status("/plain/healthz", bearer: token) == 200)

    // The account goes: what Alice had begun ends, here and for good.
    try deployment.reconfigure { text in
      text.components(separatedBy: "\n").filter { !$0.contains("username: alice") && $0 != "accounts:" }.joined(separator: "\n")
    }
    deployment.processes[0].hangUp()
    try deployment.waitUntil("Alice's token is refused") { try deployment.status("/plain/healthz", bearer: access) == 401 }
    try deployment.waitUntil("Alice's refresh token is refused") { try deployment.refresh(refresh).status == 400 }

    // Clients go, and a grant is switched off.
    try deployment.reconfigure {
      $0.replacingOccurrences(of: "id: nightly-report", with: "id: weekly-report")
        .replacingOccurrences(of: "id: jwt-report", with: "id: other-report")
        .replacingOccurrences(of: "grants: [authorization_code, refresh_token]", with: "grants: [authorization_code]")
        .replacingOccurrences(of: "client_credentials, refresh_token]", with: "client_credentials]")
    }
    deployment.processes[0].hangUp()
    for gone in [token, jwt] {
      try deployment.waitUntil("a gone client's token is refused on every loop") {
        try (0..<8).allSatisfy { _ in try deployment.status("/plain/healthz", bearer: gone) == 401 }
      }
    }
    #expect(try ask("nightly-report", secret) == 401)
    #expect(try ask("weekly-report", secret) == 200)
    #expect(Set(try deployment.metadata()["grant_types_supported"] as? [String] ?? []) == ["authorization_code", "client_credentials"])
  }

  @Test("A file behind symbolic links, swapped as Kubernetes does it, is read again by itself")
  func symbolicLinks() throws {
    let deployment = try Deployment(processes: 0, extra: Deployment.route("first"))
    let process = try deployment.launch(behindLinks: true)
    try process.waitUntilReady()
    try deployment.startCloudVault()
    let bearer = try deployment.serviceToken()
    #expect(try deployment.status("/first/healthz", bearer: bearer) == 200)
    try deployment.swapLinks { $0.replacingOccurrences(of: "first", with: "second") }
    try deployment.waitUntil("the swapped file is served") {
      try deployment.status("/second/healthz", bearer: bearer) == 200
    }
  }
}

extension Deployment {
  /// One more route to CloudVault, below `/name`.
  fileprivate static func route(_ name: String) -> String {
    """
      - name: \(name)
        match: { path: /\(name)/** }
        require: { scopes: [photos.read] }
        upstream: cloudvault
        rewrite: { strip_prefix: /\(name) }
    """
  }

  fileprivate var configurationURL: URL { folder.appendingPathComponent("instance-0.yaml") }
  fileprivate func configurationText() throws -> String { try String(contentsOf: configurationURL, encoding: .utf8) }

  fileprivate func reconfigure(_ edit: (String) -> String) throws {
    let before = try configurationText()
    let after = edit(before)
    guard after != before else { throw Failure(description: "the edit changes nothing") }
    try after.write(to: configurationURL, atomically: true, encoding: .utf8)
  }

  /// Puts another folder in the place of the one behind `..data`, in one step.
  fileprivate func swapLinks(_ edit: (String) -> String) throws {
    let files = FileManager.default
    let next = folder.appendingPathComponent("..next")
    try files.createDirectory(at: next, withIntermediateDirectories: true)
    try edit(try configurationText()).write(to: next.appendingPathComponent("instance-0.yaml"), atomically: false, encoding: .utf8)
    try files.createSymbolicLink(atPath: folder.appendingPathComponent("..swap").path, withDestinationPath: "..next")
    guard rename(folder.appendingPathComponent("..swap").path, folder.appendingPathComponent("..data").path) == 0 else {
      throw Failure(description: "the link cannot be swapped")
    }
  }

  fileprivate func status(_ path: String, bearer: String) throws -> Int {
    try HTTPClient.get(port: port, path, fields: ["Authorization": "Bearer \(bearer)"]).status
  }

  fileprivate func metadata() throws -> [String: Any] {
    try HTTPClient.get(port: port, "/.well-known/oauth-authorization-server").json
  }
}
