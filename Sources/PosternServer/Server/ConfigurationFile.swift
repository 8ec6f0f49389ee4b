import Configuration
import Glibc
import OAuthCore

/// The configuration file of this process, read at start and again when it changes.
struct ConfigurationFile: Sendable {
  let path: String
  private let registeredGrants: [GrantType]

  init(_ path: String) {
    self.path = path
    registeredGrants = BuiltInGrants.types + PosternCommand.pluggedInGrants.map(\.descriptor.grantType)
  }

  /// Reads and checks the file; every mistake in it is reported at once.
  func load() throws(ConfigurationErrors) -> Configuration {
    try Configuration.load(
      path: path, environment: ProcessEnvironment.variables, readFile: { try FileContent.read($0) },
      registeredGrants: registeredGrants)
  }

  /// What the file is at this moment, behind symbolic links; nil while there is none, as between two steps of a swap.
  var version: Version? { Self.version(of: path) }

  /// The same of any file that the configuration names.
  static func version(of path: String) -> Version? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Version(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), byteCount: Int64(status.st_size),
      modifiedAt: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec))
  }

  /// Tells one content of the file from the next without reading it. Kubernetes swaps a link instead of writing, and a
  /// copy may keep the time of its origin: one of these differs all the same.
  struct Version: Sendable, Equatable {
    var device: UInt64
    var inode: UInt64
    var byteCount: Int64
    /// Nanoseconds.
    var modifiedAt: Int64
  }
}
