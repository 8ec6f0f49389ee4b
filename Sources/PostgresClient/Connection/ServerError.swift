import CLibPQ

extension PostgresError {
  /// What a failed result means to the caller.
  ///
  /// Source: PostgreSQL documentation, appendix A, for the codes.
  init(failedResult result: OpaquePointer) {
    func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
    guard let sqlState = field(Int32(UInt8(ascii: "C"))) else {
      // Errors without a code come from libpq itself: the connection is gone.
      self = .unavailable
      return
    }
    switch sqlState {
    // query_canceled: statement_timeout. lock_not_available: lock_timeout.
    case "57014", "55P03": self = .timeout
    // read_only_sql_transaction: the primary became a standby.
    case "25006": self = .unavailable
    default:
      switch sqlState.prefix(2) {
      // Connection exceptions, insufficient resources.
      case "08", "53": self = .unavailable
      // Operator intervention: shutdown, crash, not yet started.
      case "57": self = .unavailable
      default:
        // In these classes PostgreSQL quotes values in the message; its DETAIL and CONTEXT do so in all, so they are not read.
        let quotesValues = sqlState.hasPrefix("22") || sqlState.hasPrefix("P0")
        self = .server(
          sqlState: sqlState,
          detail: PostgresServerDetail(
            message: quotesValues ? "" : field(Int32(UInt8(ascii: "M"))) ?? "",
            constraint: field(Int32(UInt8(ascii: "n"))),
            table: field(Int32(UInt8(ascii: "t"))),
            position: field(Int32(UInt8(ascii: "P"))).flatMap { Int($0) }))
      }
    }
  }

  /// The connection cannot go on: its server is going away or can no longer write.
  static func isFatalToConnection(_ result: OpaquePointer) -> Bool {
    guard let code = PQresultErrorField(result, Int32(UInt8(ascii: "C"))) else { return true }
    let sqlState = String(cString: code)
    return sqlState == "25006" || sqlState.hasPrefix("57P") || sqlState.hasPrefix("08")
  }

  /// The server does not know the prepared statement (26000), or its result changed shape with the schema (0A000).
  var isStaleStatement: Bool { sqlState == "26000" || sqlState == "0A000" }
}
