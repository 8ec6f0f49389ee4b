import ArgumentParser
import Configuration
import Cryptography
import OAuthCore

struct AccountCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "account", abstract: "Manage the people who can sign in.",
    discussion: "Accounts that stand in the configuration file are changed there.",
    subcommands: [Create.self, SetPassword.self, Disable.self, HashPassword.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create an account.", discussion: "printf %s \"$PASSWORD\" | postern account create alice --password-stdin")

    @Argument(help: "What the person types as user name.") var name: String
    @OptionGroup var password: PasswordInput
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      guard !configuration.accounts.contains(where: { $0.username == name }) else {
        throw CommandFailure("the account '\(name)' stands in \(config.path); change it there")
      }
      guard Self.isUsername(name) else {
        throw CommandFailure("a user name is 1 to 128 bytes long, without control characters and without blanks around it")
      }
      let random = SystemRandom()
      let now = SystemClock().now
      // It never changes and never names the person to whoever reads a token; its colon keeps it apart from client ids.
      let subject = Subject("user:\(Locator(createdAt: now, randomness: random.words()))")
      let account = Account(subject: subject, username: name, passwordHash: try password.hash())
      let created = try await DatabaseSession.run(configuration) { try await $0.accounts.create(account, at: now) }
      guard created else { throw CommandFailure("there is an account '\(name)' already; choose another name") }
      print("\(name) can sign in. Its subject is \(subject).")
    }

    /// What a person can type and see again.
    private static func isUsername(_ name: String) -> Bool {
      (1...128).contains(name.utf8.count) && name.first?.isWhitespace == false && name.last?.isWhitespace == false
        && !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
  }

  struct SetPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set-password", abstract: "Replace an account's password.",
      discussion: "printf %s \"$PASSWORD\" | postern account set-password alice --password-stdin")

    @Argument(help: "The user name.") var name: String
    @OptionGroup var password: PasswordInput
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let hash = try password.hash()
      let name = name
      let changed = try await DatabaseSession.run(configuration) { try await $0.accounts.setPassword(of: name, to: hash) }
      guard changed else { throw configuration.noSuchAccount(name) }
      print("\(name) has a new password.")
    }
  }

  struct Disable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Keep an account from signing in, and end its sessions and every token it has granted.")

    @Argument(help: "The user name.") var name: String
    @Flag(help: "Let it sign in again; what was ended stays ended.") var undo = false
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let name = name
      let undo = undo
      let changed = try await DatabaseSession.run(configuration) { stores in
        undo ? try await stores.accounts.enable(name) : try await stores.accounts.disable(name, at: SystemClock().now)
      }
      guard changed else { throw configuration.noSuchAccount(name) }
      print("\(name) is \(undo ? "enabled" : "disabled").")
    }
  }

  struct HashPassword: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "hash-password", abstract: "Print the `password_hash` of an account in the configuration file.",
      discussion: "printf %s \"$PASSWORD\" | postern account hash-password --password-stdin")

    @OptionGroup var password: PasswordInput

    func run() throws { print(try password.hash()) }
  }
}

/// `--password-stdin`: the only way in, because arguments show in the process list.
struct PasswordInput: ParsableArguments {
  /// Characters. Source: NIST SP 800-63B §5.1.1.2.
  static let characterCountMin = 8
  private static let example = "printf %s \"$PASSWORD\" | postern account … --password-stdin"

  @Flag(name: .customLong("password-stdin"), help: "Read the password from the first line of standard input.")
  var isFromStandardInput = false

  func hash() throws -> String {
    guard isFromStandardInput else {
      throw CommandFailure("a password comes in by a pipe; say --password-stdin: \(Self.example)")
    }
    let password = try readSecretLine("a password", example: Self.example)
    let byteCountMax = PasswordVerifier.passwordByteCountMax
    guard password.count >= Self.characterCountMin, password.utf8.count <= byteCountMax else {
      throw CommandFailure("a password has at least \(Self.characterCountMin) characters and at most \(byteCountMax) bytes")
    }
    return Scrypt.hash(password: Secret(password))
  }
}

extension Configuration {
  fileprivate func noSuchAccount(_ name: String) -> CommandFailure {
    accounts.contains { $0.username == name }
      ? CommandFailure("the account '\(name)' stands in the configuration file; change it there")
      : CommandFailure("there is no account '\(name)' in the database")
  }
}
