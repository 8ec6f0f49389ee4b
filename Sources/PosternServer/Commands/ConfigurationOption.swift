import ArgumentParser
import Configuration
import Glibc

/// `--config FILE`, as every command takes it.
struct ConfigurationOption: ParsableArguments {
  @Option(
    name: .customLong("config"),
    help: ArgumentHelp("The configuration file; see deploy/postern.example.yaml.", valueName: "file"))
  var path = "postern.yaml"

  /// Reads and checks the file; every mistake in it is reported at once.
  func load() throws -> Configuration { try file.load() }

  var file: ConfigurationFile { ConfigurationFile(path) }
}

/// Reads a secret from standard input, so that it is neither in the process list nor in the shell's history.
///
/// - Parameters:
///   - what: for the error message, such as `a password`.
///   - example: how it is done.
func readSecretLine(_ what: String, example: String) throws -> String {
  guard let line = readLine(strippingNewline: true), !line.isEmpty else {
    throw CommandFailure("standard input holds no line with \(what); pipe it in: \(example)")
  }
  return line
}
