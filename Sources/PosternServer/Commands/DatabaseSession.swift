import Configuration
import EventLoop
import Logging
import PostgresClient
import PostgresStore

/// One loop with one pool, for a command that talks to the database and ends.
struct DatabaseSession {
  /// Runs `body` on the loop and closes everything afterwards. The schema must be up to date.
  static func run<Result: Sendable>(
    _ configuration: Configuration, _ body: @escaping @Sendable (Stores) async throws -> Result
  ) async throws -> Result {
    let logger = Logger(label: "postern")
    let loops = try EventLoopGroup(count: 1)
    loops.start()
    defer { loops.stop() }
    let loop = loops.loops[0]
    let database = PostgresConfiguration(connectionString: configuration.database.exposedText)
    let pending = try await Migrator.pending(Migration.schema, on: loop, configuration: database)
    guard pending.isEmpty else {
      throw CommandFailure("the database's schema is behind (\(pending.joined(separator: ", "))); run `postern migrate` first")
    }
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
    return try outcome.get()
  }
}
