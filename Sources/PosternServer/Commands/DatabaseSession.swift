import Configuration
import EventLoop
import Logging
import OAuthCore
import PostgresClient
import PostgresStore

/// One loop with one pool, for a command that talks to the database and ends.
struct DatabaseSession {
  /// Runs `body` on the loop and closes everything afterwards. The schema must be up to date.
  ///
  /// - Throws: what `body` throws; a database that fails it as one sentence.
  static func run<Result: Sendable>(
    _ configuration: Configuration, _ body: @escaping @Sendable (Stores) async throws -> Result
  ) async throws -> Result {
    let note = LastWarning()
    let logger = Logger(label: "postern") { _ in note.handler }
    let pending = try await withLoop(configuration) { loop, database in
      try await Migrator.pending(Migration.schema, on: loop, configuration: database)
    }
    guard pending.isEmpty else {
      throw CommandFailure("the database's schema is behind (\(pending.joined(separator: ", "))); run `postern migrate` first")
    }
    return try await withLoop(configuration) { loop, database in
      let outcome: Swift.Result<Result, any Error> = await loop.task {
        let pool = PostgresPool(loop: loop, configuration: database, logger: logger)
        pool.start()
        let outcome: Swift.Result<Result, any Error>
        do {
          outcome = .success(try await body(Stores(pools: PoolGroup([pool]), logger: logger)))
        } catch {
          outcome = .failure(error)
        }
        await pool.close()
        return outcome
      }.value
      do { return try outcome.get() } catch let failure as StoreFailure { throw CommandFailure(failure, because: note.text) }
    }
  }

  /// Runs `body` with a loop of its own.
  static func withLoop<Result: Sendable>(
    _ configuration: Configuration, _ body: (EventLoop, PostgresConfiguration) async throws -> Result
  ) async throws -> Result {
    let loops = try EventLoopGroup(count: 1)
    loops.start()
    defer { loops.stop() }
    do {
      return try await body(loops.loops[0], PostgresConfiguration(connectionString: configuration.database.exposedText))
    } catch MigrationError.unreachable(let reason) {
      throw CommandFailure(
        "the database cannot be reached; see that it runs and that `database` in the configuration names it (\(reason))")
    }
  }
}

extension CommandFailure {
  /// - Parameter reason: what was logged last; nil: nothing.
  fileprivate init(_ failure: StoreFailure, because reason: String?) {
    let reason = reason.map { ": \($0)" } ?? ""
    switch failure {
    case .unavailable: self.init("the database did not answer as it should\(reason); see to it, then run the command again")
    case .overloaded: self.init("the database has more work than it can take\(reason); run the command again in a while")
    }
  }
}
