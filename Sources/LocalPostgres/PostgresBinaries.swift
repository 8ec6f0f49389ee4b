import Glibc

/// Where PostgreSQL's programs are, and as whom they run.
struct PostgresBinaries: Sendable {
  let directory: String
  /// Such as 15.
  let majorVersion: Int

  func path(_ program: String) -> String { "\(directory)/\(program)" }

  /// - Parameter version: the major version that a data directory demands; nil: the newest.
  static func find(majorVersion version: Int? = nil) throws(LocalPostgresError) -> PostgresBinaries {
    let candidates = candidateDirectories().compactMap { directory in
      reportedVersion(of: directory).map { PostgresBinaries(directory: directory, majorVersion: $0) }
    }
    let fitting = candidates.filter { version == nil || $0.majorVersion == version }
    guard let newest = fitting.max(by: { $0.majorVersion < $1.majorVersion }) else {
      let wanted = version.map { "PostgreSQL \($0), which made this data directory," } ?? "PostgreSQL"
      let package = version.map { "postgresql-\($0)" } ?? "postgresql"
      throw LocalPostgresError("\(wanted) is not installed; run `apt-get install \(package)`")
    }
    return newest
  }

  /// Debian keeps one directory for each version, outside PATH.
  private static func candidateDirectories() -> [String] {
    let debian = "/usr/lib/postgresql"
    let versions = listDirectory(debian).map { "\(debian)/\($0)/bin" }
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    return (versions + path.split(separator: ":").map(String.init)).filter { access("\($0)/initdb", X_OK) == 0 }
  }

  /// `initdb --version` ends with a number such as 15.4 or 18beta1.
  private static func reportedVersion(of directory: String) -> Int? {
    guard let outcome = try? Subprocess.run(["\(directory)/initdb", "--version"], environment: ["LC_ALL=C"]) else { return nil }
    let word = outcome.output.split(separator: " ").first { $0.first?.isNumber == true }
    return word.flatMap { Int($0.prefix { $0.isNumber }) }
  }
}

/// The names in a directory, without `.` and `..`; empty when it cannot be read.
func listDirectory(_ path: String) -> [String] {
  guard let directory = opendir(path) else { return [] }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    // SAFETY: the kernel ends the name with a zero byte within the field; `entry` holds until the next `readdir`.
    let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names
}
