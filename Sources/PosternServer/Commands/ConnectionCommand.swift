import ArgumentParser
import Broker
import Configuration
import Cryptography
import EgressHTTP
import EventLoop
import OAuthCore
import PostgresStore

struct ConnectionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "connection", abstract: "Look after what users have connected at providers.",
    discussion: "No token is ever shown.", subcommands: [List.self, Show.self, Refresh.self, Revoke.self, Import.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List connections: id, provider, subject, state and when the access token ends.")

    /// Rows of one statement.
    private static let pageCount = 500

    @Option(help: "Only of this provider.") var provider: String?
    @Option(help: "Only of this subject.") var subject: String?
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let (provider, subject) = (provider.map { ProviderID($0) }, subject.map { Subject($0) })
      try await DatabaseSession.run(try config.load()) { stores in
        for incident in try await stores.incidents.incidents() { print("# \(incident.line)") }
        var last: Locator?
        while true {
          let page = try await stores.connectionDirectory.connections(
            of: provider, subject: subject, after: last, count: Self.pageCount)
          for connection in page { print(connection.line) }
          if page.isEmpty, last == nil { print("# no connections") }
          guard page.count == Self.pageCount else { return }
          last = page.last?.id
        }
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show one connection and the last attempts to refresh it.")

    @Argument(help: "Its id, from `postern connection list`.") var id: String
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      try await DatabaseSession.run(try config.load()) { stores in
        let connection = try await stores.connectionDirectory.find(id)
        print(connection.lines.joined(separator: "\n"))
        for attempt in try await stores.connectionDirectory.attempts(on: connection.id) {
          let outcome = attempt.outcome ?? "no outcome known"
          print("attempt:   \(JSONLogHandler.time(attempt.startedAt)), on generation \(attempt.generation): \(outcome)")
        }
      }
    }
  }

  struct Refresh: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Get a new access token from the provider now.")

    @Argument(help: "Its id, from `postern connection list`.") var id: String
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let outcome = try await DatabaseSession.run(configuration) { stores -> Result<LiveCredential, BrokerFailure> in
        let connection = try await stores.connectionDirectory.find(id)
        return await withEgress { egress, loop in
          let credentials = LiveCredentials(
            providers: configuration.providers, store: stores.connections, transport: egress, keyRing: configuration.keys,
            clock: SystemClock(), random: SystemRandom(), sleeper: LoopSleeper(loop: loop), executor: loop,
            observer: SilentBroker())
          let key = connection.key
          let outcome: Result<LiveCredential, BrokerFailure>
          do throws(BrokerFailure) {
            outcome = .success(
              try await credentials.credential(for: key.provider, of: key.owner, replacing: connection.generation))
          } catch {
            outcome = .failure(error)
          }
          // What was received is stored before the command ends.
          await credentials.shutdown()
          return outcome
        }
      }
      switch outcome {
      case .success(let credential):
        print("Refreshed: generation \(credential.generation), sent until \(JSONLogHandler.time(credential.expiresAt)).")
      case .failure(let failure): throw CommandFailure(failure.sentence)
      }
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End a connection here and at the provider; its user can connect again.")

    @Argument(help: "Its id, from `postern connection list`.") var id: String
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      try await DatabaseSession.run(configuration) { stores in
        let connection = try await stores.connectionDirectory.find(id)
        guard case .subject(let subject) = connection.key.owner else { return }
        let outcome: Result<Void, StoreFailure> = await withEgress { egress, _ in
          let connector = Connector(
            providers: configuration.providers, issuer: configuration.issuer.description, flows: stores.connectFlows,
            connections: stores.connections, transport: egress, keyRing: configuration.keys, random: SystemRandom(),
            clock: SystemClock(), observer: SilentBroker(), changes: ChangeRelay())
          do throws(StoreFailure) {
            return .success(try await connector.disconnect(connection.key.provider, of: subject))
          } catch {
            return .failure(error)
          }
        }
        try outcome.get()
      }
      print("The connection is revoked; every instance hears of it.")
    }
  }
}

/// Runs `body` with an HTTP client on the loop that it is called on.
private func withEgress<Result>(_ body: (EgressClient, EventLoop) async -> Result) async -> Result {
  guard let loop = EventLoop.current else { preconditionFailure("commands run on a loop") }
  let egress = EgressClient(loops: [loop], pool: WorkerPool())
  let result = await body(egress, loop)
  await egress.shutdown()
  return result
}

/// The command's own output tells what came of it.
private struct SilentBroker: BrokerObserver {
  func observe(_ event: BrokerEvent, of connection: ConnectionKey) {}
}

extension ConnectionDirectory {
  fileprivate func find(_ id: String) async throws -> ConnectionDetails {
    guard let found = try await connection(id: id) else {
      throw CommandFailure("there is no connection '\(id)'; `postern connection list` shows the ids")
    }
    return found
  }
}

extension ConnectionDetails {
  private var subject: String { if case .subject(let subject) = key.owner { "\(subject)" } else { "-" } }

  private var stateText: String {
    switch state {
    case .active: "active"
    case .needsReauthentication(let reason): "needs_reauth(\(reason.rawValue))"
    case .revoked: "revoked"
    }
  }

  fileprivate var line: String {
    "\(id)\t\(key.provider)\t\(subject)\t\(stateText)\t\(Self.text(expiresAt))"
  }

  fileprivate var lines: [String] {
    [
      "id:        \(id)", "provider:  \(key.provider)", "subject:   \(subject)", "state:     \(stateText)",
      "connected: \(Self.text(connectedAt))", "used:      \(Self.text(usedAt))", "expires:   \(Self.text(expiresAt))",
      "refresh:   \(Self.text(renewAt))", "generation: \(generation)",
    ]
  }

  private static func text(_ moment: Timestamp?) -> String { moment.map { JSONLogHandler.time($0) } ?? "-" }
}

extension ProviderIncident {
  fileprivate var line: String {
    "provider \(provider) refuses Postern (\(refusal.rawValue)) since \(JSONLogHandler.time(since)); see to its client id and secret"
  }
}

extension BrokerFailure {
  fileprivate var sentence: String {
    switch self {
    case .unavailable(let pause): "the provider does not help now; try again in \(pause)"
    case .refused(let refusal, _): "the provider refuses Postern: \(refusal.rawValue)"
    case .notConnected: "there is no credential that can be used; the user has to connect again"
    case .needsReauthentication(let reason): "the user has to connect again: \(reason.rawValue)"
    case .unknownProvider: "the configuration has no such provider"
    }
  }
}
