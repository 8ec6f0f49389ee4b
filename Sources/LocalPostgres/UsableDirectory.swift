import Glibc

extension LocalPostgres {
  /// Where a project's cluster can live: the preferred place if the server's account gets there, else a place in
  /// /var/lib that is always the same for it. Root's home directory, for one, is closed to the account `postgres`.
  ///
  /// - Parameter preferred: absolute path whose parent exists.
  public static func usableDirectory(preferring preferred: String) throws(LocalPostgresError) -> String {
    let account = try ServerAccount.current()
    guard let slash = preferred.lastIndex(of: "/") else { throw LocalPostgresError("\(preferred) is not an absolute path") }
    let parent = slash == preferred.startIndex ? "/" : String(preferred[..<slash])
    if account.name == nil { return preferred }
    if try account.run(["test", "-x", parent]).status == 0 { return preferred }
    return "/var/lib/postern-\(shortName(of: preferred))"
  }

  /// 64-bit FNV-1a in hexadecimal: the same path, the same name.
  static func shortName(of path: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return String(hash, radix: 16)
  }
}
