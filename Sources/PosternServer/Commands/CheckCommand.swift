import ArgumentParser

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Validate the configuration without starting anything.",
    discussion: "Prints every mistake with line and column. Exit status 0: the file is good.")

  @OptionGroup var config: ConfigurationOption

  func run() throws {
    let configuration = try config.load()
    print("\(config.path) is good: \(configuration.clients.count) clients, \(configuration.routes.routes.count) routes.")
  }
}
