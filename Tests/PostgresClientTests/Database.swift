import EventLoop
import Glibc
import LocalPostgres
import Logging
import PostgresClient

/// Runs `body` as a task of a loop that lives as long as it.
func onLoop<Success: Sendable>(_ body: @escaping @Sendable (EventLoop) async throws -> Success) async throws -> Success {
  let group = try EventLoopGroup(count: 1)
  group.start()
  let loop = group.loops[0]
  let result = await loop.task { () async -> Result<Success, any Error> in
    do { return .success(try await body(loop)) } catch { return .failure(error) }
  }.value
  group.stop()
  return try result.get()
}

/// Runs `body` with a pool on a database of its own, or on one that nobody changes.
func withPool<Success: Sendable>(
  cluster: LocalPostgres? = nil, readsOnly: Bool = false,
  change: @escaping @Sendable (inout PostgresConfiguration) -> Void = { _ in },
  _ body: @escaping @Sendable (PostgresPool) async throws -> Success
) async throws -> Success {
  let cluster = try cluster ?? LocalPostgres.shared()
  var configuration = PostgresConfiguration(
    connectionString: try readsOnly ? cluster.connectionString() : cluster.freshDatabase())
  change(&configuration)
  return try await onLoop { [configuration] loop in
    let pool = PostgresPool(loop: loop, configuration: configuration, logger: silent)
    pool.start()
    let result: Result<Success, any Error>
    do { result = .success(try await body(pool)) } catch { result = .failure(error) }
    await pool.close()
    return try result.get()
  }
}

let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A cluster that this test may break.
func withOwnCluster<Success>(
  _ name: String, _ body: (LocalPostgres) async throws -> Success
) async throws -> Success {
  let cluster = try LocalPostgres.start(directory: "/tmp/postern-\(name)-\(getpid())", durable: false)
  defer { cluster.remove() }
  return try await body(cluster)
}
