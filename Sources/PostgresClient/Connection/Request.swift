typealias PostgresAnswer = Result<PostgresRows, PostgresError>

/// One piece of work for a connection and who waits for its answer.
struct Request {
  enum Work {
    case statement(PreparedStatement, [PostgresValue])
    /// SQL text that may hold several statements; only alone on a connection.
    case script(String)
  }

  /// Called exactly once, on the loop.
  enum Completion {
    case task(UnsafeContinuation<PostgresAnswer, Never>)
    case callback((PostgresAnswer) -> Void)
  }

  let work: Work
  /// Monotonic nanoseconds.
  let enqueuedAt: Int64
  let completion: Completion
  /// Whether it may be sent again when the server has forgotten the prepared statement, which runs nothing.
  var mayResend: Bool

  func resume(_ answer: PostgresAnswer) {
    switch completion {
    case .task(let continuation): continuation.resume(returning: answer)
    case .callback(let callback): callback(answer)
    }
  }
}
