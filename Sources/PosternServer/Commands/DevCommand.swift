import ArgumentParser
import CloudVaultDemo
import Configuration
import Cryptography
import EgressHTTP
import EventLoop
import Glibc
import LocalPostgres
import OAuthCore

struct DevCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dev", abstract: "Run everything on this machine: a private PostgreSQL, Postern, and a demo to try.",
    discussion: """
      Secrets, configuration and data stay in the folder, so that the next start goes on where this one stopped. The \
      configuration in it works with every other command:

        postern client list --config .postern/postern.yaml
      """)

  @Option(help: "Where everything is kept.") var directory = ".postern"
  @Option(help: "Postern's port on 127.0.0.1.") var port: UInt16 = 8080
  @Option(name: .customLong("cloudvault-port"), help: "The demo upstream's port.") var cloudVaultPort: UInt16 = 8081
  @Option(name: .customLong("admin-port"), help: "The port of health and metrics.") var adminPort: UInt16 = 9090

  func run() async throws {
    try JSONLogHandler.bootstrap(level: ProcessEnvironment.variables["POSTERN_LOG"] ?? "warning")
    let signals = SignalWaiter()
    defer { LogWriter.standardError.flush() }
    let ports = try checkedPorts()
    let directory = try Self.absolute(directory)
    try DevHome.makeDirectory(directory, mode: 0o755)
    let lock = try DevLock(directory)
    defer { lock.unlock() }

    Self.say("Starting PostgreSQL")
    let postgres = try LocalPostgres.start(
      directory: try LocalPostgres.usableDirectory(preferring: "\(directory)/postgres"), durable: true)
    defer { try? postgres.stop() }
    let home = try DevHome(directory: directory, ports: ports, databaseURI: postgres.connectionString())
    let server = try Server(ConfigurationFile(home.configurationPath), grants: PosternCommand.pluggedInGrants)

    let group = try EventLoopGroup(count: 1)
    group.start()
    defer { group.stop() }
    let egress = EgressClient(loops: group.loops, pool: WorkerPool())
    let printMyPics = PrintMyPics(
      client: DemoClient(
        issuer: home.issuer, id: ClientID("printmypics"), secret: home.printMyPicsSecret, redirectURI: home.redirectURI,
        photosPath: DevHome.myPhotosPath),
      transport: egress, clock: SystemClock(), random: SystemRandom())
    let cloudVault = try await CloudVaultServer.start(
      on: ListenAddress(host: "127.0.0.1", port: cloudVaultPort), secret: home.cloudVaultSecret,
      users: CloudVault.Users(issuer: home.cloudVault, redirectURI: home.connectCallback), printMyPics: printMyPics, group: group)
    try await server.run(until: signals.requests()) {
      Self.say(DevGuide(home: home).text)
    }
    await cloudVault.stop()
    await egress.shutdown()
  }

  /// Looked at before anything is started, so that a mistake leaves nothing behind.
  private func checkedPorts() throws(CommandFailure) -> DevHome.Ports {
    let options = [("--port", port), ("--cloudvault-port", cloudVaultPort), ("--admin-port", adminPort)]
    var takenBy: [UInt16: String] = [:]
    for (name, port) in options {
      guard port > 0 else { throw CommandFailure("\(name) is a number from 1 to 65535, not 0") }
      if let other = takenBy.updateValue(name, forKey: port) {
        throw CommandFailure("\(other) and \(name) are both \(port): give each a port of its own")
      }
    }
    return DevHome.Ports(postern: port, cloudVault: cloudVaultPort, admin: adminPort)
  }

  private static func absolute(_ path: String) throws -> String {
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else { throw CommandFailure("the current folder is gone; change to one that exists") }
    defer { free(current) }
    return "\(String(cString: current))/\(path)"
  }

  private static func say(_ text: String) {
    print(text)
    fflush(nil)
  }
}
