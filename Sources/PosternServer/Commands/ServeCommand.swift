import ArgumentParser
import Glibc

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run the servers.",
    discussion: """
      Migrates the database, then serves. Ready when GET /readyz on the admin address answers 200. SIGTERM or Ctrl-C ends \
      it: readiness fails first, requests under way end, then it stops; a second one does not wait for load balancers \
      to notice. SIGHUP, or a change of the configuration file, \
      makes it read the file again; one with mistakes changes nothing. Logs one JSON object a line to standard error; \
      POSTERN_LOG is trace, debug, info, warning or error.
      """)

  @OptionGroup var config: ConfigurationOption

  func run() async throws {
    try JSONLogHandler.bootstrap(level: ProcessEnvironment.variables["POSTERN_LOG"])
    let signals = SignalWaiter()
    defer { LogWriter.standardError.flush() }
    let server = try Server(config.file, grants: PosternCommand.pluggedInGrants)
    try await server.run(until: signals.requests(), onReady: {})
  }
}
