import CLibPQ
import EventLoop
import Glibc

/// A connection that is up, on its way to its loop.
struct EstablishedConnection: @unchecked Sendable {
  // SAFETY: owned by exactly one holder at a time; libpq allows a connection to move between threads.
  let pointer: OpaquePointer

  /// Closes it unused.
  func finish() { PQfinish(pointer) }
}

struct ConnectFailure: Error {
  /// For the log; has no password.
  let reason: String
}

/// Opens connections, each on a thread for the purpose, which the loop starts: so it shares the loop's descriptors
/// (`EventLoopGroup.separatesDescriptors`). Pools bound how many are under way.
///
/// `PQconnectPoll` would fit the loop, but it resolves names, computes SCRAM and shakes hands for TLS in the calling
/// thread, and leaves `connect_timeout` to its caller, who cannot tell one host from the next. Only the blocking call goes
/// on to the second host when the first swallows packets.
///
/// Source: PostgreSQL documentation, "Database Connection Control Functions".
struct Connector: Sendable {
  private let connectionString: String
  /// Used where the connection string says nothing else.
  private let defaults: [(String, String)]
  /// Run-time settings, which go behind those of the connection string.
  private let settings: String

  init(_ configuration: PostgresConfiguration) {
    connectionString = configuration.connectionString
    defaults = [
      ("application_name", configuration.applicationName),
      ("connect_timeout", "\(max(2, configuration.connectTimeout.components.seconds))"),
      // A fail-over heals itself only if standbys are refused.
      ("target_session_attrs", "read-write"),
      ("gssencmode", "disable"),
      ("keepalives_idle", "10"), ("keepalives_interval", "3"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "15000"),
    ]
    settings = [
      ("statement_timeout", configuration.statementTimeout),
      ("lock_timeout", configuration.lockTimeout),
      ("idle_in_transaction_session_timeout", configuration.idleInTransactionTimeout),
    ].map { "-c \($0)=\($1.nanoseconds / 1_000_000)" }.joined(separator: " ")
  }

  func connect() async -> Result<EstablishedConnection, ConnectFailure> {
    await withUnsafeContinuation { continuation in
      pthread_detach(startThread { [self] in continuation.resume(returning: connectBlocking()) })
    }
  }

  private func connectBlocking() -> Result<EstablishedConnection, ConnectFailure> {
    guard let ownOptions = optionsOfConnectionString() else {
      // libpq's message would quote the string, and with it perhaps a password.
      return .failure(ConnectFailure(reason: "the connection string is not a libpq URI or conninfo string"))
    }
    var keywords = defaults.map(\.0)
    var values = defaults.map(\.1)
    // A later keyword overrides an earlier one; the connection string takes the place of `dbname`.
    keywords += ["dbname", "options", "client_encoding"]
    values += [connectionString, ownOptions + " " + settings, "UTF8"]
    guard let handle = withCStrings(keywords, { keywords in withCStrings(values) { PQconnectdbParams(keywords, $0, 1) } })
    else { return .failure(ConnectFailure(reason: "out of memory")) }
    guard PQstatus(handle) == CONNECTION_OK else {
      defer { PQfinish(handle) }
      return .failure(ConnectFailure(reason: libpqMessage(handle)))
    }
    // libpq prints notices to standard error otherwise.
    _ = PQsetNoticeReceiver(handle, { _, _ in }, nil)
    return .success(EstablishedConnection(pointer: handle))
  }

  /// The `options` that the connection string brings; empty for none, nil when it cannot be read.
  private func optionsOfConnectionString() -> String? {
    var message: UnsafeMutablePointer<CChar>?
    let parsed = PQconninfoParse(connectionString, &message)
    defer { PQconninfoFree(parsed) }
    if let message { PQfreemem(message) }
    guard var option = parsed else { return nil }
    // SAFETY: the list ends with an entry whose keyword is null.
    while let keyword = option.pointee.keyword {
      if String(cString: keyword) == "options", let value = option.pointee.val { return String(cString: value) }
      option += 1
    }
    return ""
  }
}

/// libpq's last message in one line.
func libpqMessage(_ handle: OpaquePointer) -> String {
  let lines = String(cString: PQerrorMessage(handle)).split(separator: "\n").map { $0.drop { $0 == "\t" || $0 == " " } }
  return lines.isEmpty ? "connection lost" : lines.joined(separator: "; ")
}

/// Lends a null-terminated list of C strings.
private func withCStrings<Result>(
  _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
  // SAFETY: the copies live until `body` has returned; the list has at least the null.
  let copies = strings.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  let list = copies.map { UnsafePointer($0) } + [nil]
  return list.withUnsafeBufferPointer { body($0.baseAddress!) }
}
