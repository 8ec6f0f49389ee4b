import CLinux
import Glibc

/// As whom the server runs: PostgreSQL refuses root, so root hands over to Debian's `postgres`.
struct ServerAccount: Sendable {
  /// nil: the account of this process.
  let name: String?
  let userID: uid_t
  let groupID: gid_t

  static func current() throws(LocalPostgresError) -> ServerAccount {
    guard geteuid() == 0 else { return ServerAccount(name: nil, userID: geteuid(), groupID: getegid()) }
    guard let entry = getpwnam("postgres") else {
      throw LocalPostgresError(
        "PostgreSQL does not run as root and there is no account `postgres`; run `apt-get install postgresql` "
          + "or start as another user")
    }
    return ServerAccount(name: "postgres", userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid)
  }

  /// Runs a program as this account, in an environment that nobody's settings reach.
  func run(_ arguments: [String]) throws(LocalPostgresError) -> Subprocess.Outcome {
    let handOver = name.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--init-groups"] } ?? []
    return try Subprocess.run(
      handOver + arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent"])
  }

  /// Makes `directory`, private to this account, and checks that this account gets there.
  func makeDirectory(_ directory: String) throws(LocalPostgresError) {
    guard mkdir(directory, 0o700) == 0 || postern_errno() == EEXIST else {
      throw LocalPostgresError("the directory \(directory) cannot be made: \(lastErrorText)")
    }
    try requireOwnDirectory(directory)
    guard name != nil else { return }
    guard chown(directory, userID, groupID) == 0 else {
      throw LocalPostgresError("the directory \(directory) cannot be given to the account `postgres`: \(lastErrorText)")
    }
    guard try run(["test", "-w", directory]).status == 0 else {
      throw LocalPostgresError(
        "the account `postgres`, as which PostgreSQL runs, cannot reach \(directory); "
          + "choose a directory under /var/lib or /tmp, or start as another user than root")
    }
  }

  /// In /tmp another account may have been first, with a link or a directory of its own.
  private func requireOwnDirectory(_ directory: String) throws(LocalPostgresError) {
    var status = stat()
    guard lstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      status.st_uid == userID || status.st_uid == geteuid()
    else { throw LocalPostgresError("\(directory) is not a directory of this account; remove it or choose another") }
  }
}
