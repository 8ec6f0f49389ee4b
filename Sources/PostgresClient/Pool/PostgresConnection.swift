import EventLoop

/// The connection of one transaction, for as long as `PostgresPool.transaction` runs.
public final class PostgresConnection: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  private let loop: EventLoop
  private let wire: WireConnection
  private var isEnded = false
  /// The first failure of a statement: PostgreSQL ends the transaction with it.
  private(set) var failure: PostgresError?

  init(loop: EventLoop, wire: WireConnection) {
    self.loop = loop
    self.wire = wire
  }

  /// Runs `statement` inside the transaction. Once one has failed, the transaction cannot commit any more.
  public func query(
    _ statement: PreparedStatement, _ parameters: [PostgresValue] = []
  ) async throws(PostgresError) -> PostgresRows {
    let answer = await run(statement, parameters)
    if case .failure(let failure) = answer, self.failure == nil { self.failure = failure }
    return try answer.get()
  }

  func run(_ statement: PreparedStatement, _ parameters: [PostgresValue] = []) async -> PostgresAnswer {
    loop.assertInLoop()
    guard !isEnded else { return .failure(.closed) }
    return await withUnsafeContinuation { continuation in
      // Not sent twice: what the failed attempt ended is the transaction.
      wire.send(
        Request(
          work: .statement(statement, parameters), enqueuedAt: loop.now, completion: .task(continuation), mayResend: false))
    }
  }

  /// From here on the connection is someone else's.
  func end() { isEnded = true }
}
