import ArgumentParser
import EventLoop
import Logging
import PostgresClient

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the database's schema up to date.",
    discussion: """
      Forward only. Any number of instances may migrate at once: one does, the others wait. `postern serve` migrates on
      its own; this command is for those who want it as a step of its own.
      """)

  @OptionGroup var config: ConfigurationOption

  func run() async throws {
    let configuration = try config.load()
    let loops = try EventLoopGroup(count: 1)
    loops.start()
    defer { loops.stop() }
    let applied = try await Migrator.migrate(
      Migration.schema, 
      on: loops.loops[0], configuration: PostgresConfiguration(connectionString: configuration.database.exposedText),
      logger: Logger(label: "postern"))
    print(applied.isEmpty ? "The schema is up to date." : "Applied \(applied.joined(separator: ", ")).")
  }
}
