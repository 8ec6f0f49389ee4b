import ArgumentParser
import Broker
import Configuration
import Cryptography
import EventLoop
import JSON
import OAuthCore

extension ConnectionCommand {
  struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take over connections from another broker, one JSON object a line, from standard input.",
      discussion: """
        {"provider": "github", "subject": "alice", "access_token": "…", "refresh_token": "…", "expires_in": 3600, "scopes": ["repo"]}

        refresh_token and scopes may be left out. Nothing is stored unless every line is good, and no connection that is \
        there is overwritten, so the command may be run again.
        """)

    /// At the database at a time; it commits what is there together.
    private static let concurrency = 64
    private static let progressCount = 10_000

    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      var entries: [ConnectionImport.Entry] = []
      var line = 0
      while let text = readLine(strippingNewline: true) {
        line += 1
        guard !text.isEmpty else { continue }
        do { entries.append(try Self.entry(text, configuration)) } catch { throw CommandFailure("line \(line): \(error)") }
      }
      let taken = try await take(entries, configuration)
      let stayed = taken == entries.count ? "" : "; \(entries.count - taken) were connected already and stay as they are"
      print("Imported \(taken) of \(entries.count) connections\(stayed).")
    }

    private func take(_ entries: [ConnectionImport.Entry], _ configuration: Configuration) async throws -> Int {
      try await DatabaseSession.run(configuration) { stores in
        let importer = ConnectionImport(
          connections: stores.connections, keyRing: configuration.keys, clock: SystemClock(), random: SystemRandom())
        return try await withThrowingTaskGroup(of: Bool.self) { group in
          let loop = EventLoop.current
          var (next, done, taken) = (0, 0, 0)
          while done < entries.count {
            while next < entries.count, next - done < Self.concurrency {
              let entry = entries[next]
              group.addTask(executorPreference: loop) { try await importer.take(entry) }
              next += 1
            }
            if try await group.next() == true { taken += 1 }
            done += 1
            if done.isMultiple(of: Self.progressCount) { print("\(done) of \(entries.count) connections") }
          }
          return taken
        }
      }
    }

    private static let members: Set = ["provider", "subject", "access_token", "refresh_token", "expires_in", "scopes"]

    /// A line's mistakes are told without its tokens.
    private static func entry(_ line: String, _ configuration: Configuration) throws(CommandFailure) -> ConnectionImport.Entry {
      guard let object = (try? JSON(parsing: Array(line.utf8)))?.object else { throw CommandFailure("not a JSON object") }
      for (name, _) in object.members where !members.contains(name) { throw CommandFailure("there is no member \"\(name)\"") }
      guard let name = object["provider"]?.string, let subject = object["subject"]?.string, !subject.isEmpty,
        let token = object["access_token"]?.string, !token.isEmpty, let lifetime = object["expires_in"]?.integer,
        object["refresh_token"] == nil || object["refresh_token"]?.string?.isEmpty == false,
        object["scopes"] == nil || object["scopes"]?.strings != nil
      else {
        throw CommandFailure(
          "provider, subject, access_token and refresh_token are strings that are not empty, expires_in is in seconds, scopes a list of strings")
      }
      let now = SystemClock().now
      guard let provider = configuration.providers.first(where: { $0.id.rawValue == name }),
        let entry = ConnectionImport.Entry(
          to: provider, of: Subject(subject), accessToken: Secret(token),
          refreshToken: object["refresh_token"]?.string.map { Secret($0) },
          expiresAt: now + .seconds(min(max(lifetime, 0), 10 * 365 * 86_400)), scopes: object["scopes"]?.strings ?? [], at: now)
      else { throw CommandFailure("the configuration has no provider \"\(name)\" that users can connect to") }
      return entry
    }
  }
}
