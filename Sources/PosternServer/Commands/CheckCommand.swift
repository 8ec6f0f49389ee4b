import ArgumentParser

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Validate the configuration without starting anything.",
    discussion: "Prints every mistake with line and column, and reads certificates and keys. Exit status 0: the file is good.")

  @OptionGroup var config: ConfigurationOption

  func run() throws {
    let configuration = try config.load()
    do { _ = try TLSFiles(configuration) } catch { throw CommandFailure("\(error)") }
    let counts = [
      Self.count(configuration.clients.count, "client"), Self.count(configuration.accounts.count, "account"),
      Self.count(configuration.providers.count, "provider"), Self.count(configuration.routes.routes.count, "route"),
    ]
    print("\(config.path) is good: \(counts.joined(separator: ", ")).")
  }

  private static func count(_ number: Int, _ noun: String) -> String { number == 1 ? "1 \(noun)" : "\(number) \(noun)s" }
}
