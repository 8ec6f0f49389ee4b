/// Why the schema was not brought up to date. Migrations before the one named are kept.
public enum MigrationError: Error, Sendable, Equatable {
  case database(PostgresError)
  /// The database could not be reached. The reason comes from libpq.
  case unreachable(reason: String)
  /// Its SQL differs from what was applied.
  case altered(name: String)
  /// It comes before migrations that were applied without it.
  case outOfOrder(name: String)
  /// It was rolled back.
  case failed(name: String, line: Int?, PostgresError)
}

extension MigrationError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .database(let error):
      return "the schema could not be checked: \(error.debugDescription)"
    case .unreachable(let reason):
      return "the database cannot be reached: \(reason)"
    case .altered(let name):
      return "\(name) was altered after it was applied; restore the released file and put the change into a new migration"
    case .outOfOrder(let name):
      return "\(name) comes before migrations that are applied already; give it the next free number"
    case .failed(let name, let line, .timeout):
      return "\(name)\(line.map { " line \($0)" } ?? "") waited too long for a lock and was rolled back; "
        + "end what holds the lock, or try again when the database is quiet"
    case .failed(let name, let line, let error):
      return "\(name)\(line.map { " line \($0)" } ?? "") failed and was rolled back: \(error.debugDescription)"
    }
  }
}
