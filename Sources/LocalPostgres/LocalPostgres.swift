import CLinux
import Glibc

/// A private PostgreSQL cluster: its own data directory and a Unix socket, no network, for `postern dev` and the tests.
///
/// Starting one that runs already uses it as it is. Every call blocks for as long as PostgreSQL's own programs take.
public final class LocalPostgres: Sendable {
  /// The only role; whoever reaches the socket is trusted.
  public static let user = "app"
  /// `sun_path` has 108 bytes with its final zero. Source: unix(7).
  private static let socketPathByteCountMax = 107

  /// Holds the data, the log and, if its path is short enough, the socket.
  public let directory: String
  /// Holds the socket; private to the account of the server.
  public let socketDirectory: String
  private let binaries: PostgresBinaries
  private let account: ServerAccount

  var dataDirectory: String { "\(directory)/data" }
  private var logFile: String { "\(directory)/log" }
  private var postmasterFile: String { "\(dataDirectory)/postmaster.pid" }

  init(directory: String, socketDirectory: String, binaries: PostgresBinaries, account: ServerAccount) {
    self.directory = directory
    self.socketDirectory = socketDirectory
    self.binaries = binaries
    self.account = account
  }

  /// Creates the cluster if there is none, and starts it if it does not run.
  ///
  /// - Parameters:
  ///   - directory: absolute path; made if its parent exists.
  ///   - durable: false trades safety against a crash of the machine for speed, for tests.
  ///   - settings: server settings, which go before those of `durable`. Ignored when the cluster runs already.
  public static func start(
    directory: String, durable: Bool, settings: [String: String] = [:]
  ) throws(LocalPostgresError) -> LocalPostgres {
    guard directory.hasPrefix("/") else { throw LocalPostgresError("\(directory) is not an absolute path") }
    let account = try ServerAccount.current()
    try account.makeDirectory(directory)
    let lock = try DirectoryLock(directory)
    defer { lock.unlock() }

    let binaries = try PostgresBinaries.find(majorVersion: dataVersion(of: directory))
    let cluster = LocalPostgres(
      directory: directory, socketDirectory: try socketDirectory(for: directory, account), binaries: binaries, account: account)
    try cluster.createIfAbsent()
    try cluster.writeSettings(durable: durable, settings)
    try cluster.startServer()
    return cluster
  }

  /// A libpq URI. No password is needed.
  public func connectionString(database: String = "postgres") -> String {
    "postgresql:///\(percentEncoded(database))?host=\(percentEncoded(socketDirectory))&user=\(Self.user)"
  }

  /// - Parameter template: the database to copy; nobody may be connected to it.
  public func createDatabase(_ name: String, template: String = "template1") throws(LocalPostgresError) {
    try client("createdb", ["--template", template, name], purpose: "the database \(name) cannot be created")
  }

  public func dropDatabase(_ name: String) throws(LocalPostgresError) {
    try client("dropdb", ["--if-exists", "--force", name], purpose: "the database \(name) cannot be dropped")
  }

  /// Whether the server's first process lives. `pg_ctl status` would take a killed one for alive until someone reaps it, which
  /// the first process of a container often does not.
  public var isRunning: Bool {
    guard let postmaster = postmasterID(), isAlive(postmaster) else { return false }
    return readFile("/proc/\(postmaster)/comm").map { $0.hasPrefix("postgres") || $0.hasPrefix("postmaster") } ?? false
  }

  /// - Parameter immediate: end without a checkpoint; the next start recovers from the log.
  public func stop(immediate: Bool = false) throws(LocalPostgresError) {
    guard isRunning else { return }
    try control("stop", ["--mode", immediate ? "immediate" : "fast"], purpose: "PostgreSQL cannot be stopped")
  }

  /// Stops and starts again, with the settings it was last started with.
  public func restart() throws(LocalPostgresError) {
    try stop()
    try startServer()
  }

  /// Starts again what was stopped or killed.
  public func startServer() throws(LocalPostgresError) {
    guard !isRunning else { return }
    // Left by a server that was killed; its number may have been given to another process, or wait to be reaped.
    unlink(postmasterFile)
    unlink("\(socketDirectory)/.s.PGSQL.5432.lock")
    try control("start", ["--log", logFile], purpose: "PostgreSQL does not start")
  }

  /// Kills the server and all its processes, as a crash would, and waits until they are gone.
  public func kill() throws(LocalPostgresError) {
    guard let postmaster = postmasterID() else { return }
    let processes = [postmaster] + children(of: postmaster)
    for process in processes { _ = Glibc.kill(process, SIGKILL) }
    // Killed processes vanish within milliseconds; five seconds mean that something holds them.
    for _ in 0..<500 where processes.contains(where: { isAlive($0) }) { usleep(10_000) }
    guard !processes.contains(where: { isAlive($0) }) else {
      throw LocalPostgresError("PostgreSQL's process \(postmaster) does not end; look at it with `ps`")
    }
  }

  /// Stops all processes of the server where they are, as a host that hangs does, until `resume`.
  public func pause() { signalAll(SIGSTOP) }
  public func resume() { signalAll(SIGCONT) }

  private func signalAll(_ signal: Int32) {
    guard let postmaster = postmasterID() else { return }
    // The first process first, so that it starts no others meanwhile.
    for process in [postmaster] + children(of: postmaster) { _ = Glibc.kill(process, signal) }
  }

  // MARK: Starting

  private static func dataVersion(of directory: String) -> Int? {
    readFile("\(directory)/data/PG_VERSION").flatMap { Int($0.prefix { $0.isNumber }) }
  }

  /// The cluster's own directory, or one in /tmp when the socket's path would be too long.
  private static func socketDirectory(
    for directory: String, _ account: ServerAccount
  ) throws(LocalPostgresError) -> String {
    guard "\(directory)/.s.PGSQL.5432.lock".utf8.count > socketPathByteCountMax else { return directory }
    let short = "/tmp/postern-socket-\(shortName(of: directory))"
    try account.makeDirectory(short)
    return short
  }

  /// Made beside its place and renamed, so that an interrupted `initdb` leaves nothing that looks like a cluster.
  private func createIfAbsent() throws(LocalPostgresError) {
    guard access("\(dataDirectory)/PG_VERSION", F_OK) != 0 else { return }
    let unfinished = "\(directory)/data.unfinished"
    try run(["rm", "-rf", unfinished], purpose: "\(unfinished) cannot be removed")
    try run(
      [
        binaries.path("initdb"), "--pgdata", unfinished, "--username", Self.user, "--auth", "trust", "--no-sync",
        "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions",
      ], purpose: "a cluster cannot be created in \(directory)")
    try run(
      ["sh", "-c", "echo \"include_if_exists 'postern.conf'\" >> \"$0/postgresql.conf\"", unfinished],
      purpose: "\(unfinished) cannot be written")
    guard rename(unfinished, dataDirectory) == 0 else {
      throw LocalPostgresError("\(unfinished) cannot be renamed to \(dataDirectory): \(lastErrorText)")
    }
  }

  private func writeSettings(durable: Bool, _ settings: [String: String]) throws(LocalPostgresError) {
    var all = [
      "listen_addresses": "", "unix_socket_directories": socketDirectory, "unix_socket_permissions": "0700",
      "max_connections": "200",
    ]
    if !durable {
      for name in ["fsync", "synchronous_commit", "full_page_writes"] { all[name] = "off" }
    }
    all.merge(settings) { _, chosen in chosen }
    let lines = all.sorted { $0.key < $1.key }.map { name, value in
      "\(name) = '\(value.map { $0 == "'" ? "''" : String($0) }.joined())'\n"
    }
    try writeFile("\(dataDirectory)/postern.conf", lines.joined())
  }

  // MARK: Programs

  private func control(_ command: String, _ arguments: [String], purpose: String) throws(LocalPostgresError) {
    let outcome = try account.run(
      [binaries.path("pg_ctl"), command, "--pgdata", dataDirectory, "--wait", "--silent"] + arguments)
    guard outcome.status == 0 else {
      let reason = readFile(logFile).map { $0.split(separator: "\n").suffix(3).joined(separator: " | ") } ?? outcome.output
      throw LocalPostgresError("\(purpose): \(reason); the whole log is in \(logFile)")
    }
  }

  private func run(_ arguments: [String], purpose: String) throws(LocalPostgresError) {
    let outcome = try account.run(arguments)
    guard outcome.status == 0 else {
      throw LocalPostgresError("\(purpose): \(outcome.output.split(separator: "\n").joined(separator: " | "))")
    }
  }

  private func client(_ program: String, _ arguments: [String], purpose: String) throws(LocalPostgresError) {
    try run(
      [binaries.path(program), "--host", socketDirectory, "--username", Self.user, "--no-password"] + arguments,
      purpose: purpose)
  }

  // MARK: Processes

  /// The first line of `postmaster.pid`.
  private func postmasterID() -> pid_t? {
    readFile(postmasterFile).flatMap { pid_t($0.prefix { $0.isNumber }) }
  }

  private func children(of parent: pid_t) -> [pid_t] {
    listDirectory("/proc").compactMap { pid_t($0) }.filter { processState($0)?.parent == parent }
  }

  private func isAlive(_ process: pid_t) -> Bool { processState(process).map { $0.code != "Z" } ?? false }

  /// Source: proc(5), `/proc/[pid]/stat`: the name in parentheses may hold anything, so fields count from the last one.
  private func processState(_ process: pid_t) -> (code: Character, parent: pid_t)? {
    guard let line = readFile("/proc/\(process)/stat"), let end = line.lastIndex(of: ")") else { return nil }
    let fields = line[line.index(after: end)...].split(separator: " ")
    guard fields.count > 1, let code = fields[0].first, let parent = pid_t(fields[1]) else { return nil }
    return (code, parent)
  }
}

/// Everything outside RFC 3986's unreserved characters as `%XX`.
private func percentEncoded(_ text: String) -> String {
  let digits = Array("0123456789ABCDEF")
  return text.utf8.map { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
      String(UnicodeScalar(byte))
    default: "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    }
  }.joined()
}
