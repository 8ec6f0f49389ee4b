import ArgumentParser
import Logging
import PostgresClient

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the database's schema up to date.",
    discussion: """
      Forward only. Any number of instances may migrate at once: one does, the others wait. `postern serve` migrates on \
      its own; this command is for those who want it as a step of its own.
      """)

  @OptionGroup var config: ConfigurationOption

  func run() async throws {
    let configuration = try config.load()
    let applied = try await DatabaseSession.withLoop(configuration) { loop, database in
      // What happens is told in the end, as one sentence.
      try await Migrator.migrate(
        Migration.schema, on: loop, configuration: database,
        logger: Logger(label: "postern", factory: { _ in SwiftLogNoOpLogHandler() }))
    }
    print(applied.isEmpty ? "The schema is up to date." : "Applied \(applied.joined(separator: ", ")).")
  }
}
