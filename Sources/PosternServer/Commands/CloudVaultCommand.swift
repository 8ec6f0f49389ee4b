import ArgumentParser
import Configuration
import Cryptography
import EventLoop

struct CloudVaultCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cloudvault", abstract: "Run the demo upstream: a token endpoint and a photo API that wants its tokens.",
    discussion: "`postern dev` runs it by itself; the compose file and the tests run it with this command.")

  @Option(help: "IP address and port to listen on.") var address = "127.0.0.1:8081"
  @Option(name: .customLong("client-secret-file"), help: "File with the secret of the client `postern`.") var secretFile: String

  func run() async throws {
    try JSONLogHandler.bootstrap(level: ProcessEnvironment.variables["POSTERN_LOG"])
    guard let address = ListenAddress(address) else { throw CommandFailure("--address is like 127.0.0.1:8081, not '\(address)'") }
    guard let secret = try? FileContent.read(secretFile), !secret.isEmpty else {
      throw CommandFailure("\(secretFile) cannot be read or is empty; put the secret of the client `postern` there")
    }
    let signals = SignalWaiter()
    let group = try EventLoopGroup(count: 1)
    group.start()
    defer { group.stop() }
    let server = try await CloudVaultServer.start(on: address, secret: Secret(bytes: secret), group: group)
    for await request in signals.requests() {
      if case .stop = request { break }
    }
    await server.stop()
  }
}
