import EventLoop
import LocalPostgres
import Logging
import OAuthCore
import PostgresClient
import PostgresStore
import Synchronization

/// One instance of Postern's store: loops and pools on a database that other instances may share.
struct Instance: Sendable {
  let loops: [EventLoop]
  let pools: PoolGroup
  let firstPool: PostgresPool
  let configuration: PostgresConfiguration

  var tokens: PostgresTokenStore { PostgresTokenStore(pools: pools, logger: silent) }
  var clients: PostgresClientStore { PostgresClientStore(pools: pools, logger: silent) }
  var accounts: PostgresAccountStore { PostgresAccountStore(pools: pools, logger: silent) }

  func maintenance(_ retention: Retention) -> Maintenance {
    Maintenance(pools: pools, retention: retention, logger: silent)
  }

  /// Runs SQL that the store has no business to run.
  func sql(_ statement: String, _ parameters: [PostgresValue] = []) async throws -> PostgresRows {
    try await firstPool.query(PreparedStatement(statement), parameters)
  }

  /// Runs `body` on loop 0, from anywhere.
  func onLoop<Success: Sendable>(_ body: @escaping @Sendable () async throws -> Success) async throws -> Success {
    try await loops[0].task { () async -> Result<Success, any Error> in
      do { return .success(try await body()) } catch { return .failure(error) }
    }.value.get()
  }

  func count(_ table: String) async throws -> Int64 { try await sql("SELECT count(*) FROM \(table)")[0].int64(0) }
}

let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// Runs `body` on loop 0 of an instance with a database of its own, whose schema is up to date.
func withInstance<Success: Sendable>(
  loops count: Int = 1, _ body: @escaping @Sendable (Instance) async throws -> Success
) async throws -> Success {
  try await withInstance(on: try await TemplateDatabase.copy(), loops: count, body)
}

/// Runs `body` on loop 0 of an instance of the database that `connectionString` names.
func withInstance<Success: Sendable>(
  on connectionString: String, loops count: Int = 1, _ body: @escaping @Sendable (Instance) async throws -> Success
) async throws -> Success {
  let group = try EventLoopGroup(count: count)
  group.start()
  defer { group.stop() }
  let configuration = PostgresConfiguration(connectionString: connectionString)
  let pools = group.loops.map { PostgresPool(loop: $0, configuration: configuration, logger: silent) }
  for pool in pools { await pool.loop.task { pool.start() }.value }
  let instance = Instance(
    loops: group.loops, pools: PoolGroup(pools), firstPool: pools[0], configuration: configuration)
  let result: Result<Success, any Error>
  do { result = .success(try await instance.onLoop { try await body(instance) }) } catch { result = .failure(error) }
  for pool in pools { await pool.loop.task { await pool.close() }.value }
  return try result.get()
}

/// A database with the schema, made once; each test copies it.
private actor TemplateDatabase {
  static let shared = TemplateDatabase()
  private var template: Task<String, any Error>?

  static func copy() async throws -> String {
    let name = try await shared.name()
    return try LocalPostgres.shared().freshDatabase(template: name)
  }

  private func name() async throws -> String {
    if let template { return try await template.value }
    let task = Task {
      let name = "store_template"
      let cluster = try LocalPostgres.shared()
      try cluster.createDatabase(name)
      let group = try EventLoopGroup(count: 1)
      group.start()
      defer { group.stop() }
      _ = try await Migrator.migrate(
        Migration.schema, on: group.loops[0],
        configuration: PostgresConfiguration(connectionString: cluster.connectionString(database: name)), logger: silent)
      return name
    }
    template = task
    return try await task.value
  }
}

/// Remembers what it hears, for tests to ask.
final class RecordingObserver: ChangeObserver {
  private let heard = Mutex<(changes: [Change], forgotten: Int)>(([], 0))

  var changes: [Change] { heard.withLock { $0.changes } }
  var forgotten: Int { heard.withLock { $0.forgotten } }

  func apply(_ changes: [Change]) { heard.withLock { $0.changes += changes } }
  func forgetEverything() { heard.withLock { $0.forgotten += 1 } }
}

/// Comes back when `condition` holds; a bound keeps a failing test from hanging.
func eventually(_ loop: EventLoop, _ condition: () -> Bool) async -> Bool {
  for _ in 0..<1000 {
    if condition() { return true }
    await loop.sleep(for: .milliseconds(10))
  }
  return condition()
}

/// Two instances on one database; `body` runs on the first.
func withTwoInstances(
  _ body: @escaping @Sendable (Instance, Instance) async throws -> Void
) async throws {
  let database = try await TemplateDatabase.copy()
  try await withInstance(on: database, loops: 2) { first in
    try await withInstance(on: database, loops: 2) { second in
      // Back to the loop of the first.
      try await first.onLoop { try await body(first, second) }
    }
  }
}

/// Any number of instances on one database; `body` runs on the first.
///
/// - Parameter database: a connection string; nil: a database of their own.
func withInstances(
  _ count: Int, on database: String? = nil, _ body: @escaping @Sendable ([Instance]) async throws -> Void
) async throws {
  let database = if let database { database } else { try await TemplateDatabase.copy() }
  @Sendable func start(_ started: [Instance]) async throws {
    if started.count == count { return try await started[0].onLoop { try await body(started) } }
    try await withInstance(on: database) { try await start(started + [$0]) }
  }
  try await start([])
}

/// Runs `body` `count` times at once, spread over every loop of both instances.
func inParallel<Success: Sendable>(
  _ count: Int, _ first: Instance, _ second: Instance,
  _ body: @escaping @Sendable (Instance, Int) async throws -> Success
) async throws -> [Success] {
  try await withThrowingTaskGroup(of: Success.self) { group in
    for number in 0..<count {
      let instance = number.isMultiple(of: 2) ? first : second
      let loop = instance.loops[(number / 2) % instance.loops.count]
      group.addTask(executorPreference: loop) { try await body(instance, number) }
    }
    return try await group.reduce(into: []) { $0.append($1) }
  }
}
