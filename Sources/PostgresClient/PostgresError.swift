/// Why a statement has no answer.
///
/// `description` may be shown to anyone; `debugDescription` is for the log. Neither holds a parameter's value.
public enum PostgresError: Error, Sendable, Equatable {
  /// No connection, or the connection was lost. If the statement had been sent, whether it took effect is unknown.
  case unavailable
  /// The queue is full: nothing was sent.
  case overloaded
  /// A statement or lock timeout of the server, or too long a wait in the queue: nothing took effect.
  case timeout
  /// The server refused the statement: nothing took effect.
  case server(sqlState: String, detail: PostgresServerDetail)
  /// The result does not have the type or shape that the caller asked for: the SQL and the code disagree.
  case decoding(String)
  /// The pool or transaction was closed before.
  case closed

  /// The five characters of PostgreSQL's error code, if the server refused.
  public var sqlState: String? {
    if case .server(let sqlState, _) = self { sqlState } else { nil }
  }
}

/// What the server said about a refusal. For the log.
public struct PostgresServerDetail: Sendable, Equatable {
  /// Empty where PostgreSQL quotes values in it (SQLSTATE classes 22 and P0).
  public var message: String
  public var constraint: String?
  public var table: String?
  /// Position in the SQL, in characters from 1.
  public var position: Int?

  public init(message: String = "", constraint: String? = nil, table: String? = nil, position: Int? = nil) {
    self.message = message
    self.constraint = constraint
    self.table = table
    self.position = position
  }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
  public var description: String {
    switch self {
    case .unavailable: "the database is not available"
    case .overloaded: "too many statements wait for the database"
    case .timeout: "the database took too long"
    case .server(let sqlState, _): "the database refused the statement (SQLSTATE \(sqlState))"
    case .decoding: "the database's answer has an unexpected shape"
    case .closed: "the database connection was closed"
    }
  }

  public var debugDescription: String {
    switch self {
    case .server(_, let detail):
      [
        description,
        detail.message.isEmpty ? nil : detail.message,
        detail.constraint.map { "constraint \($0)" },
        detail.table.map { "table \($0)" },
        detail.position.map { "at character \($0)" },
      ].compactMap { $0 }.joined(separator: ", ")
    case .decoding(let reason): "\(description): \(reason)"
    default: description
    }
  }
}
