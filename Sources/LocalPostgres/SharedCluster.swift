import Glibc
import Synchronization

extension LocalPostgres {
  /// The cluster that all tests of this process share; made at the first call, removed when the process exits.
  ///
  /// Tests keep apart by databases of their own: `freshDatabase`.
  public static func shared() throws(LocalPostgresError) -> LocalPostgres { try SharedCluster.result.get() }

  /// Creates a database with a name that no other test of this process has.
  ///
  /// - Returns: its connection string.
  public func freshDatabase(template: String = "template1") throws(LocalPostgresError) -> String {
    let name = "test_\(SharedCluster.databaseNumber.add(1, ordering: .relaxed).newValue)"
    try createDatabase(name, template: template)
    return connectionString(database: name)
  }
}

private enum SharedCluster {
  static let databaseNumber = Atomic<Int>(0)
  private static let prefix = "postern-test-"

  static let result: Result<LocalPostgres, LocalPostgresError> = {
    removeAbandoned()
    do throws(LocalPostgresError) {
      // Every suite of a test run is connected at once.
      let cluster = try LocalPostgres.start(
        directory: "/tmp/\(prefix)\(getpid())", durable: false, settings: ["max_connections": "600"])
      atexit { SharedCluster.remove() }
      return .success(cluster)
    } catch {
      return .failure(error)
    }
  }()

  private static func remove() {
    guard case .success(let cluster) = result else { return }
    cluster.remove()
  }

  /// Clusters of processes that were killed before they could clean up. The directory's name ends with the process.
  private static func removeAbandoned() {
    for name in listDirectory("/tmp") where name.hasPrefix(prefix) {
      guard let owner = pid_t(name.dropFirst(prefix.count)), access("/proc/\(owner)", F_OK) != 0 else { continue }
      // What is not ours cannot be removed, which is as it should be.
      try? LocalPostgres.removeStopped(directory: "/tmp/\(name)")
    }
  }
}

extension LocalPostgres {
  /// Deletes a cluster that nobody uses any more, after killing its server if it still runs.
  static func removeStopped(directory: String) throws(LocalPostgresError) {
    let cluster = LocalPostgres(
      directory: directory, socketDirectory: directory, binaries: try PostgresBinaries.find(),
      account: try ServerAccount.current())
    try cluster.kill()
    cluster.remove()
  }

  /// Stops the server and deletes the directory with all its data.
  public func remove() {
    try? stop(immediate: true)
    _ = try? Subprocess.run(["rm", "-rf", directory, socketDirectory], environment: ["PATH=/usr/bin:/bin"])
  }
}
