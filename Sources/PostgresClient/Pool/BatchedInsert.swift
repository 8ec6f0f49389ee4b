import EventLoop

/// Gathers rows of concurrent callers into one statement, so that many share one commit.
///
/// A row that comes while nothing is under way goes out at the end of this turn of the loop; rows that come meanwhile form the
/// next batch. Only for inserts that cannot conflict with each other: their locks are held together.
public final class BatchedInsert<Row: Sendable>: @unchecked Sendable {
  // SAFETY: confined to its pool's loop; every entry asserts it with `loop.assertInLoop()`.

  /// One row and the task that waits for it.
  private struct Waiting {
    let row: Row
    let continuation: UnsafeContinuation<PostgresError?, Never>
  }

  private let pool: PostgresPool
  private let statement: PreparedStatement
  private let rowCountMax: Int
  private let batchesInFlightMax: Int
  private let encode: ([Row]) -> [PostgresValue]
  private var gathering: [Waiting] = []
  private var batchesInFlight = 0
  private var isScheduled = false

  /// Statements sent so far, for metrics.
  public private(set) var batchCount = 0

  /// - Parameters:
  ///   - statement: inserts all rows at once, such as `INSERT … SELECT * FROM unnest($1, $2)`.
  ///   - rowCountMax: rows of one batch.
  ///   - batchesInFlightMax: batches under way at once; two overlap one's commit with the other's work.
  ///   - encode: turns rows into the statement's parameters: arrays, one for each column.
  public init(
    pool: PostgresPool, statement: PreparedStatement, rowCountMax: Int = 256, batchesInFlightMax: Int = 2,
    encode: @escaping ([Row]) -> [PostgresValue]
  ) {
    precondition(rowCountMax > 0 && batchesInFlightMax > 0, "a batch holds a row and can be sent")
    self.pool = pool
    self.statement = statement
    self.rowCountMax = rowCountMax
    self.batchesInFlightMax = batchesInFlightMax
    self.encode = encode
  }

  /// Returns when `row` is committed.
  ///
  /// - Throws: as `PostgresPool.query`; `.overloaded` when as many rows wait as the pool may queue. A row that the
  ///   server refuses fails alone.
  public func insert(_ row: Row) async throws(PostgresError) {
    pool.loop.assertInLoop()
    guard gathering.count < pool.configuration.queueCountMax else { throw .overloaded }
    let failure: PostgresError? = await withUnsafeContinuation { continuation in
      gathering.append(Waiting(row: row, continuation: continuation))
      sendAtEndOfTurn()
    }
    if let failure { throw failure }
  }

  private func sendAtEndOfTurn() {
    guard !isScheduled, !gathering.isEmpty, batchesInFlight < batchesInFlightMax else { return }
    isScheduled = true
    pool.loop.atEndOfTurn { [self] in
      isScheduled = false
      send(takeBatch())
      sendAtEndOfTurn()
    }
  }

  private func takeBatch() -> [Waiting] {
    if gathering.count <= rowCountMax {
      defer { gathering = [] }
      return gathering
    }
    defer { gathering.removeFirst(rowCountMax) }
    return Array(gathering.prefix(rowCountMax))
  }

  private func send(_ batch: [Waiting]) {
    batchesInFlight += 1
    submit(batch) { [self] failure in
      batchesInFlight -= 1
      if let failure, isAboutOneRow(failure), batch.count > 1 {
        // Nothing of the batch took effect; alone, only the rows that are refused fail.
        for waiting in batch { submit([waiting]) { waiting.continuation.resume(returning: $0) } }
      } else {
        for waiting in batch { waiting.continuation.resume(returning: failure) }
      }
      sendAtEndOfTurn()
    }
  }

  private func isAboutOneRow(_ failure: PostgresError) -> Bool {
    // Data exceptions and integrity violations.
    failure.sqlState.map { $0.hasPrefix("22") || $0.hasPrefix("23") } ?? false
  }

  private func submit(_ batch: [Waiting], _ finish: @escaping (PostgresError?) -> Void) {
    batchCount += 1
    pool.submit(
      statement, encode(batch.map(\.row)),
      .callback { answer in
        switch answer {
        case .success: finish(nil)
        case .failure(let failure): finish(failure)
        }
      })
  }
}
