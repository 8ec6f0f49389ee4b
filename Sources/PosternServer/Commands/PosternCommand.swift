import ArgumentParser
import OAuthCore

struct PosternCommand: AsyncParsableCommand {
  /// Set by `Postern.main` around the run of the command line, because commands are made by the parser.
  @TaskLocal static var pluggedInGrants: [any GrantHandler] = []

  static let configuration = CommandConfiguration(
    commandName: "postern",
    abstract: "An OAuth authorization server, a token broker and a gateway in one process.",
    discussion: """
      Start with `postern dev`: it runs everything on a private PostgreSQL, with a demo to paste commands against.
      For your own: write postern.yaml (deploy/postern.example.yaml shows every member), `postern check`, `postern serve`.
      """,
    subcommands: [
      ServeCommand.self, DevCommand.self, CheckCommand.self, MigrateCommand.self, ClientCommand.self,
      AccountCommand.self, TokenCommand.self, ConnectionCommand.self, ProviderCommand.self, KeysCommand.self,
      ExplainCommand.self, HealthCommand.self, CloudVaultCommand.self,
    ])
}

/// A mistake of the caller or of the world, told in one sentence that says what to do.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
