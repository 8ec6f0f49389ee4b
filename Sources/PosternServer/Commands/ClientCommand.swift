import ArgumentParser
import Configuration
import Cryptography
import OAuthCore
import PostgresStore

struct ClientCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "client", abstract: "Manage the clients in the database.",
    discussion: "Clients that stand in the configuration file are listed too, but changed there.",
    subcommands: [Create.self, List.self, RotateSecret.self, Disable.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Register a client and print its secret, once.",
      discussion: """
        A service:
          postern client create batch --grant client_credentials --scope photos.read
        A web app:
          postern client create shop --redirect-uri https://shop.example/callback \\
            --grant authorization_code --grant refresh_token --scope photos.read
        A native app:
          the same with --public; it has no secret and proves itself with PKCE.
        """)

    @Argument(help: "The client_id.") var id: String
    @Option(help: "Shown on the consent page; the id when left out.") var name: String?
    @Option(name: .customLong("grant"), help: "A grant type the client may use; repeat for more.") var grants: [String] = []
    @Option(name: .customLong("scope"), help: "A scope the client may get; repeat for more.") var scopes: [String] = []
    @Option(name: .customLong("redirect-uri"), help: "Where the browser may be sent back to, exactly; repeat for more.")
    var redirectURIs: [String] = []
    @Option(name: .customLong("audience"), help: "A resource the client may name (RFC 8707); repeat for more.")
    var audiences: [String] = []
    @Option(help: "client_secret_basic or client_secret_post.") var authentication = "client_secret_basic"
    @Option(name: .customLong("token-format"), help: "opaque or jwt; the server's default when left out.") var tokenFormat: String?
    @Flag(name: .customLong("public"), help: "A client that cannot keep a secret, such as a native app.") var isPublic = false
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let mint = HandleMint(ring: configuration.keys, random: SystemRandom())
      let made = isPublic ? nil : mint.makeClientSecret(at: SystemClock().now)
      let client = try client(configuration, secret: made?.verifier)
      let created = try await DatabaseSession.run(configuration) { stores in
        try await stores.clients.create(client, at: SystemClock().now)
      }
      guard created else { throw CommandFailure("there is a client '\(id)' already; choose another id") }
      print("client_id:     \(id)")
      if let made {
        print("client_secret: \(made.secret.exposedText)")
        print("Keep the secret now: it is not stored and not shown again.")
      }
    }

    private func client(_ configuration: Configuration, secret: SecretVerifier?) throws -> Client {
      guard !configuration.clients.contains(where: { $0.id.rawValue == id }) else {
        throw CommandFailure("the client '\(id)' stands in \(config.path); change it there")
      }
      let method: ClientAuthenticationMethod
      if isPublic {
        method = .none
      } else {
        guard let named = ClientAuthenticationMethod(rawValue: authentication), named != .none, named != .tlsClientAuth
        else {
          throw CommandFailure("--authentication is client_secret_basic or client_secret_post, not '\(authentication)'")
        }
        method = named
      }
      var format: AccessTokenFormat?
      if let tokenFormat {
        guard let named = AccessTokenFormat(rawValue: tokenFormat) else {
          throw CommandFailure("--token-format is opaque or jwt, not '\(tokenFormat)'")
        }
        format = named
      }
      let client = Client(
        id: ClientID(id), name: name ?? id, authentication: method, secrets: secret.map { [$0] } ?? [],
        grants: Set(grants.map { GrantType($0) }), redirectURIs: redirectURIs, scopes: try scopeSet(),
        audiences: audiences, accessTokenFormat: format)
      let scopes = configuration.scopes.map(\.scope)
      if let objection = client.objection(grants: configuration.grants, explained: scopes) {
        throw CommandFailure(objection)
      }
      return client
    }

    private func scopeSet() throws -> ScopeSet {
      ScopeSet(try scopes.map { text in
        guard let scope = Scope(text) else {
          throw CommandFailure("'\(text)' is not a scope: visible ASCII without space, quote and backslash (RFC 6749 §3.3)")
        }
        return scope
      })
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List all clients: those of the file and those of the database.")

    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let stored = try await DatabaseSession.run(configuration) { stores in
        try await stores.clients.clients(at: SystemClock().now).map(\.client)
      }
      for client in configuration.clients + stored {
        let grants = client.grants.map(\.rawValue).sorted().joined(separator: ",")
        let state = client.isDisabled ? "disabled" : client.isConfigured ? "file" : "database"
        print("\(client.id)\t\(state)\t\(client.authentication.rawValue)\t\(grants)\t\(client.scopes)")
      }
    }
  }

  struct RotateSecret: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rotate-secret", abstract: "Give a client a new secret and print it, once.",
      discussion: "The secret before stays valid until --previous-ends-after has passed, so that nothing stops meanwhile.")

    @Argument(help: "The client_id.") var id: String
    @Option(
      name: .customLong("previous-ends-after"),
      help: ArgumentHelp("Hours the secret before stays valid; 0 ends it at once.", valueName: "hours"))
    var hours = 24
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      guard (0...24 * 365).contains(hours) else {
        throw CommandFailure("--previous-ends-after is between 0 and \(24 * 365) hours, not \(hours)")
      }
      let now = SystemClock().now
      let made = HandleMint(ring: configuration.keys, random: SystemRandom()).makeClientSecret(at: now)
      let end = now + .seconds(hours * 3600)
      let id = ClientID(id)
      let rotated = try await DatabaseSession.run(configuration) { stores in
        if try await stores.clients.clients([id], at: now).first?.client.isPublic == true {
          throw CommandFailure("the client '\(id)' is public and has no secret; register a confidential one beside it")
        }
        return try await stores.clients.rotateSecret(of: id, to: made.verifier, previousEndsAt: end, at: now)
      }
      guard rotated else { throw configuration.noSuchClient(id) }
      print("client_secret: \(made.secret.exposedText)")
      print("Keep the secret now: it is not stored and not shown again. The one before ends in \(hours) h.")
    }
  }

  struct Disable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Stop a client: it gets no more tokens, and those it has stop working.")

    @Argument(help: "The client_id.") var id: String
    @Flag(help: "Let it work again.") var undo = false
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let id = ClientID(id)
      let isDisabled = !undo
      let changed = try await DatabaseSession.run(configuration) { stores in
        try await stores.clients.setDisabled(isDisabled, id)
      }
      guard changed else { throw configuration.noSuchClient(id) }
      print("\(id) is \(undo ? "enabled" : "disabled").")
    }
  }
}

extension Configuration {
  fileprivate func noSuchClient(_ id: ClientID) -> CommandFailure {
    clients.contains { $0.id == id }
      ? CommandFailure("the client '\(id)' stands in the configuration file; change it there")
      : CommandFailure("there is no client '\(id)' in the database; `postern client list` shows all")
  }
}
