/// One SQL statement, parsed by the server once for each connection that runs it.
///
/// Meant to be a constant: every connection remembers each statement that it has prepared, up to a bound.
public final class PreparedStatement: Sendable {
  public let sql: String
  /// 64-bit FNV-1a of the SQL: where connections look for it first.
  let key: UInt64
  /// Starts the statement's name on the server, so that one statement has one name in logs of all connections.
  let namePrefix: String

  public init(_ sql: String) {
    self.sql = sql
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in sql.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    key = hash
    namePrefix = "s" + String(hash, radix: 16)
  }
}
