import Glibc
import Testing

@testable import LocalPostgres

@Suite("Private cluster")
struct LocalPostgresTests {
  @Test("a cluster that runs is used as it is, a killed one comes back, a stopped one stays stopped")
  func life() throws {
    let directory = "/tmp/postern-life-\(getpid())"
    let cluster = try LocalPostgres.start(directory: directory, durable: true)
    defer { cluster.remove() }
    try cluster.createDatabase("kept")
    let again = try LocalPostgres.start(directory: directory, durable: true)
    #expect(again.connectionString(database: "kept") == cluster.connectionString(database: "kept"))
    #expect(again.isRunning)
    try cluster.kill()
    #expect(!cluster.isRunning)
    try cluster.startServer()
    #expect(throws: LocalPostgresError.self) { try cluster.createDatabase("kept") }
    try cluster.dropDatabase("kept")
    try cluster.restart()
    #expect(cluster.isRunning)
    try cluster.stop()
    #expect(!cluster.isRunning)
    try cluster.stop()
  }

  @Test("two that start one cluster at once both get it")
  func race() async throws {
    let directory = "/tmp/postern-race-\(getpid())"
    let clusters = try await withThrowingTaskGroup(of: LocalPostgres.self) { group in
      for _ in 0..<2 { group.addTask { try LocalPostgres.start(directory: directory, durable: false) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    defer { clusters[0].remove() }
    #expect(clusters.allSatisfy { $0.isRunning })
  }

  @Test("a directory too deep for a socket's path works through a short one")
  func deep() throws {
    let parent = "/tmp/postern-deep-\(getpid())-" + String(repeating: "d", count: 100)
    let cluster = try LocalPostgres.start(directory: parent, durable: false)
    defer { cluster.remove() }
    #expect(cluster.socketDirectory != cluster.directory)
    try cluster.createDatabase("reached")
  }

  @Test("a setting that PostgreSQL refuses is an error with the log's words")
  func badSetting() throws {
    let directory = "/tmp/postern-setting-\(getpid())"
    defer { _ = try? Subprocess.run(["rm", "-rf", directory], environment: ["PATH=/usr/bin:/bin"]) }
    let error = #expect(throws: LocalPostgresError.self) {
      try LocalPostgres.start(directory: directory, durable: false, settings: ["work_mem": "it's much"])
    }
    #expect(error?.description.contains("work_mem") == true)
  }

  @Test("a directory that belongs to someone else, or is a link, is refused")
  func foreign() throws {
    let link = "/tmp/postern-link-\(getpid())"
    #expect(symlink("/var", link) == 0)
    defer { unlink(link) }
    #expect(throws: LocalPostgresError.self) { try LocalPostgres.start(directory: link, durable: false) }
    #expect(throws: LocalPostgresError.self) { try LocalPostgres.start(directory: "relative", durable: false) }
    #expect(throws: LocalPostgresError.self) { try LocalPostgres.start(directory: "/nonexistent/x", durable: false) }
  }

  @Test("a place that the server's account cannot reach is replaced by one that it can")
  func usable() throws {
    let closed = "/tmp/postern-closed-\(getpid())"
    #expect(mkdir(closed, 0o700) == 0)
    defer { rmdir(closed) }
    let preferred = "\(closed)/cluster"
    let usable = try LocalPostgres.usableDirectory(preferring: preferred)
    // Only root hands over to another account.
    #expect((usable == preferred) == (geteuid() != 0))
    #expect(try LocalPostgres.usableDirectory(preferring: "/tmp/x") == "/tmp/x")
    if geteuid() == 0 {
      #expect(throws: LocalPostgresError.self) { try LocalPostgres.start(directory: preferred, durable: false) }
      rmdir(preferred)
    }
  }

  @Test("fresh databases have names of their own")
  func fresh() throws {
    let cluster = try LocalPostgres.shared()
    #expect(try cluster.freshDatabase() != cluster.freshDatabase())
  }
}
