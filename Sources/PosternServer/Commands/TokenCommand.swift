import ArgumentParser
import Configuration
import Cryptography
import OAuthCore
import PostgresStore

struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Look at a token, or end it.",
    discussion: """
      The token is read from standard input, so that it is neither in the process list nor in the shell's history:

        printf %s "$TOKEN" | postern token inspect
      """,
    subcommands: [Inspect.self, Revoke.self])

  struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print what an access or refresh token stands for.")

    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let token = try readSecretLine("a token", example: "printf %s \"$TOKEN\" | postern token inspect")
      let found = try await DatabaseSession.run(configuration) { stores in
        try await PresentedToken.find(token, configuration, stores)
      }
      guard let found else { throw CommandFailure("the token is not valid: unknown, expired or revoked") }
      print(found.lines.joined(separator: "\n"))
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End an access token, or with a refresh token everything that came from its grant.")

    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let token = try readSecretLine("a token", example: "printf %s \"$TOKEN\" | postern token revoke")
      let found = try await DatabaseSession.run(configuration) { stores in
        let found = try await PresentedToken.find(token, configuration, stores)
        try await found?.revoke(stores.tokens, at: SystemClock().now)
        return found
      }
      print(found == nil ? "Nothing to end: the token is unknown, expired or revoked already." : "The token is revoked.")
    }
  }
}

/// A token that an operator holds, and what it stands for.
enum PresentedToken: Sendable {
  case access(TokenFacts)
  case refresh(Locator, StoredFamily)

  static func find(_ token: String, _ configuration: Configuration, _ stores: Stores) async throws -> PresentedToken? {
    let clock = SystemClock()
    let handles = HandleMint(ring: configuration.keys, random: SystemRandom())
    if let handle = handles.parse(token, .refreshToken) {
      guard let family = try await stores.tokens.family(handle.locator), !family.isRevoked,
        clock.now < min(family.expiresAt, family.idleExpiresAt)
      else { return nil }
      return .refresh(handle.locator, family)
    }
    let verifier = AccessTokenVerifier(
      issuer: configuration.issuer.description, handles: handles, store: stores.tokens,
      clients: CachingClientDirectory(configured: configuration.clients, source: stores.clients, clock: clock),
      signingKeys: try await SigningKeys.load(from: stores.signingKeys, ring: configuration.keys, at: clock.now),
      revocations: RevocationSet(clock: clock), clock: clock)
    return try await verifier.verify(Array(token.utf8)).map { .access($0) }
  }

  func revoke(_ store: PostgresTokenStore, at now: Timestamp) async throws {
    switch self {
    case .access(let facts): try await store.revokeAccessToken(facts.locator, expiresAt: facts.expiresAt, at: now)
    case .refresh(let family, _): try await store.revokeFamily(family, reason: .administrator, at: now)
    }
  }

  /// `name: value`, for a person; nothing in it is secret.
  var lines: [String] {
    switch self {
    case .access(let facts):
      return ["kind:     access token", "id:       \(facts.locator)"] + Self.lines(facts.authorization)
        + ["family:   \(facts.family?.description ?? "none")", "expires:  \(JSONLogHandler.time(facts.expiresAt))"]
    case .refresh(let locator, let family):
      return ["kind:     refresh token", "family:   \(locator)"] + Self.lines(family.authorization)
        + ["expires:  \(JSONLogHandler.time(min(family.expiresAt, family.idleExpiresAt))), if it is not used before"]
    }
  }

  private static func lines(_ authorization: Authorization) -> [String] {
    [
      "client:   \(authorization.client)", "subject:  \(authorization.subject)", "scope:    \(authorization.scope)",
      "audience: \(authorization.audience.isEmpty ? "none named" : authorization.audience.joined(separator: " "))",
    ]
  }
}
