import Foundation
import LocalPostgres

/// A database, a configuration, the CloudVault demo upstream, and any number of Postern processes.
final class Deployment: @unchecked Sendable {
  // SAFETY: `processes` is appended to by the test that owns the deployment, on its own thread.
  let folder: URL
  let postgres: LocalPostgres
  let database: String
  private let program: URL
  private let extraEnvironment: [String: String]
  private(set) var processes: [PosternProcess] = []
  private var cloudVault: Process?
  let cloudVaultPort: Int

  // Secrets of this deployment; a test that looks for leaks looks for all of them.
  let clientSecret = "printmypics-secret-\(UUID().uuidString)"
  let serviceSecret = "nightly-report-secret-\(UUID().uuidString)"
  let cloudVaultSecret = "cloudvault-secret-\(UUID().uuidString)"
  let password = "correct horse \(UUID().uuidString)"
  let ringKey = Data((0..<32).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()

  static let redirectURI = "https://printmypics.example/callback"

  var port: Int { processes[0].port }
  var environment: [String: String] {
    [
      "POSTERN_LOG": "trace", "POSTERN_DATABASE_URL": postgres.connectionString(database: database),
      "POSTERN_KEY": ringKey, "PRINTMYPICS_SECRET": clientSecret, "REPORT_SECRET": serviceSecret,
      "CLOUDVAULT_SECRET": cloudVaultSecret, "ALICE_SCRYPT": passwordHash,
    ].merging(extraEnvironment) { $1 }
  }
  private let passwordHash: String

  /// - Parameters:
  ///   - postgres: nil: the cluster that the tests share.
  ///   - program: what runs; it takes the commands of `postern`.
  ///   - processes: how many instances; 0: none yet.
  ///   - grant: one more grant type, switched on for the server and for PrintMyPics.
  ///   - connectable: the port of the `ScriptedOAuthProvider` behind provider, upstream and route `box`; nil: nothing of use.
  ///   - extra: more lines for the configuration.
  ///   - environment: more variables for the processes.
  init(
    postgres: LocalPostgres? = nil, program: URL = PosternProcess.binary, processes count: Int = 1, grant: String? = nil,
    connectable: Int? = nil, extra: String = "", environment: [String: String] = [:]
  ) throws {
    self.program = program
    extraEnvironment = environment
    self.postgres = try postgres ?? LocalPostgres.shared()
    database = "system_\(UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased())"
    try self.postgres.createDatabase(database)
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-system-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    passwordHash = try Finished.run(
      PosternProcess.binary, ["account", "hash-password", "--password-stdin"], input: password
    ).output.trimmingCharacters(in: .whitespacesAndNewlines)
    cloudVaultPort = try freePort()
    try Self.configuration(cloudVaultPort: cloudVaultPort, connectable: connectable ?? cloudVaultPort, grant: grant, extra: extra)
      .write(to: folder.appendingPathComponent("postern.yaml"), atomically: true, encoding: .utf8)
    for _ in 0..<count { try launch() }
    for process in processes { try process.waitUntilReady() }
  }

  /// Instances whose configuration was changed before they started.
  static func starting(processes count: Int = 1, with change: (String) -> String) throws -> Deployment {
    let deployment = try Deployment(processes: 0)
    let file = deployment.folder.appendingPathComponent("postern.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
    try change(text.trimmingCharacters(in: .newlines) + "\n").write(to: file, atomically: true, encoding: .utf8)
    for _ in 0..<count { try deployment.launch() }
    for process in deployment.processes { try process.waitUntilReady() }
    return deployment
  }

  deinit {
    for process in processes { process.kill() }
    cloudVault?.terminate()
    try? FileManager.default.removeItem(at: folder)
  }

  /// Starts one more instance, without waiting for it.
  ///
  /// - Parameter behindLinks: whether its file stands behind two symbolic links, as Kubernetes mounts a ConfigMap:
  ///   `instance-0.yaml` → `..data/instance-0.yaml`, `..data` → a folder.
  @discardableResult
  func launch(behindLinks: Bool = false) throws -> PosternProcess {
    let port = try freePort()
    let adminPort = try freePort()
    let name = "instance-\(processes.count)"
    let file = folder.appendingPathComponent("\(name).yaml")
    // One issuer for all instances, as behind a load balancer: the first instance's port.
    let issuerPort = processes.first?.port ?? port
    let text = try String(contentsOf: folder.appendingPathComponent("postern.yaml"), encoding: .utf8)
      .replacingOccurrences(of: "@ISSUER@", with: "http://127.0.0.1:\(issuerPort)")
      .replacingOccurrences(of: "@PORT@", with: String(port))
      .replacingOccurrences(of: "@ADMIN@", with: String(adminPort))
    if behindLinks {
      let files = FileManager.default
      let data = folder.appendingPathComponent("..version-1")
      try files.createDirectory(at: data, withIntermediateDirectories: true)
      try text.write(to: data.appendingPathComponent("\(name).yaml"), atomically: false, encoding: .utf8)
      try files.createSymbolicLink(atPath: folder.appendingPathComponent("..data").path, withDestinationPath: "..version-1")
      try files.createSymbolicLink(atPath: file.path, withDestinationPath: "..data/\(name).yaml")
    } else {
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    let process = try PosternProcess(
      program: program, configuration: file, environment: environment, port: port, adminPort: adminPort,
      log: folder.appendingPathComponent("\(name).log"))
    processes.append(process)
    return process
  }

  /// What the instances have complained of.
  var warnings: [Substring] {
    processes.flatMap { $0.logText.split(separator: "\n").filter { $0.contains("\"level\":\"warning\"") } }
  }

  /// Stops an instance and starts it again with its file as it is by now; ready when this returns.
  func restart(_ index: Int) throws {
    let old = processes[index]
    guard old.stop() == 0 else { throw Failure(description: "instance \(index) did not stop well: \(old.logText.suffix(2000))") }
    let new = try PosternProcess(
      program: program, configuration: folder.appendingPathComponent("instance-\(index).yaml"), environment: environment,
      port: old.port, adminPort: old.adminPort, log: old.log)
    processes[index] = new
    try new.waitUntilReady()
  }

  /// Changes the configuration file of an instance.
  func edit(_ index: Int, _ change: (String) -> String) throws {
    let file = folder.appendingPathComponent("instance-\(index).yaml")
    try change(String(contentsOf: file, encoding: .utf8)).write(to: file, atomically: true, encoding: .utf8)
  }

  /// Runs a command line on the configuration of the first instance.
  func postern(_ arguments: String..., input: String? = nil) throws -> Finished {
    let file = folder.appendingPathComponent("instance-0.yaml")
    return try Finished.run(
      PosternProcess.binary, arguments + ["--config", file.path],
      environment: environment.merging(["POSTERN_LOG": "warning"]) { $1 }, input: input)
  }

  func startCloudVault() throws {
    let secretFile = folder.appendingPathComponent("cloudvault-secret")
    try cloudVaultSecret.write(to: secretFile, atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = PosternProcess.binary
    process.arguments = [
      "cloudvault", "--address", "127.0.0.1:\(cloudVaultPort)", "--client-secret-file", secretFile.path,
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    cloudVault = process
    for _ in 0..<500 {
      if let answer = try? HTTPClient.get(port: cloudVaultPort, "/healthz"), answer.status == 200 { return }
      usleep(20_000)
    }
    throw Failure(description: "the CloudVault demo did not start")
  }

  func stopCloudVault() {
    cloudVault?.terminate()
    cloudVault?.waitUntilExit()
    cloudVault = nil
  }

  private static func configuration(cloudVaultPort: Int, connectable: Int, grant: String?, extra: String) throws -> String {
    let more = grant.map { ", \"\($0)\"" } ?? ""
    return """
    issuer: @ISSUER@
    listen:
      - address: 127.0.0.1:@PORT@
    admin: { address: 127.0.0.1:@ADMIN@ }
    shutdown: { delay: 0s }
    database: "${env:POSTERN_DATABASE_URL}"
    keys:
      active: k1
      ring:
        - { id: k1, secret: "${env:POSTERN_KEY}" }
    scopes:
      photos.read: See your photos
      albums.list: List your albums
    grants: [authorization_code, client_credentials, refresh_token\(more)]
    clients:
      - id: printmypics
        name: PrintMyPics
        secret: "${env:PRINTMYPICS_SECRET}"
        authentication: client_secret_basic
        grants: [authorization_code, refresh_token\(more)]
        redirect_uris: ["\(redirectURI)", "http://127.0.0.1/callback"]
        scopes: [photos.read, albums.list]
      - id: nightly-report
        name: Nightly report
        secret: "${env:REPORT_SECRET}"
        authentication: client_secret_basic
        grants: [client_credentials]
        scopes: [photos.read]
      - id: jwt-report
        name: Nightly report with JWTs
        secret: "${env:REPORT_SECRET}"
        authentication: client_secret_post
        grants: [client_credentials]
        scopes: [photos.read]
        access_token: { format: jwt }
    accounts:
      - { username: alice, password_hash: "${env:ALICE_SCRYPT}" }
    providers:
      cloudvault:
        token_endpoint: http://127.0.0.1:\(cloudVaultPort)/oauth/token
        client: { id: postern, secret: "${env:CLOUDVAULT_SECRET}", authentication: client_secret_basic }
        grant: client_credentials
        scopes: [read_photos]
        allowed_hosts: [127.0.0.1]
        development: { allow_http: true, allow_private_addresses: true }
      box:
        authorization_endpoint: http://127.0.0.1:\(connectable)/authorize
        token_endpoint: http://127.0.0.1:\(connectable)/token
        revocation_endpoint: http://127.0.0.1:\(connectable)/revoke
        client: { id: postern, secret: "${env:CLOUDVAULT_SECRET}", authentication: client_secret_basic }
        grant: authorization_code
        rotation: strict
        scopes: [read]
        allowed_hosts: [127.0.0.1]
        development: { allow_http: true, allow_private_addresses: true }
    upstreams:
      box:
        servers: ["http://127.0.0.1:\(connectable)"]
      cloudvault:
        servers: ["http://127.0.0.1:\(cloudVaultPort)"]
    routes:
      - name: box
        match: { path: /box/**, methods: [GET] }
        require: { scopes: [photos.read] }
        credential: { kind: connection, provider: box }
        upstream: box
      - name: photos
        match: { path: /photos/**, methods: [GET] }
        require: { scopes: [photos.read] }
        credential: { kind: client_credentials, provider: cloudvault }
        upstream: cloudvault
        rewrite: { strip_prefix: /photos, add_prefix: /api/v1/photos }
      - name: plain
        match: { path: /plain/** }
        require: { scopes: [photos.read] }
        credential: { kind: none }
        upstream: cloudvault
        rewrite: { strip_prefix: /plain }
    \(extra)

    """
  }
}
