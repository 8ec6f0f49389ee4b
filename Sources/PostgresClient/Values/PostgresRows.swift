import CLibPQ

/// The answer to one statement: rows in binary format and the number of rows it touched.
public struct PostgresRows: Sendable, RandomAccessCollection {
  private let result: ResultHandle?
  public let count: Int
  /// Rows inserted, updated, deleted or selected.
  public let affected: Int

  /// Takes over `result`, which is complete and successful.
  init(_ result: OpaquePointer) {
    affected = Int(String(cString: PQcmdTuples(result))) ?? 0
    count = Int(PQntuples(result))
    if count == 0 {
      // Most statements answer without rows: no object is kept for them.
      PQclear(result)
      self.result = nil
    } else {
      self.result = ResultHandle(result)
    }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { count }

  public subscript(_ row: Int) -> PostgresRow {
    precondition(row >= 0 && row < count, "row \(row) of \(count)")
    return PostgresRow(result: result.unsafelyUnwrapped, row: Int32(row))
  }
}

/// Owns a `PGresult`.
final class ResultHandle: @unchecked Sendable {
  // SAFETY: a complete result is never changed; libpq's accessors only read it, from any thread.
  let pointer: OpaquePointer
  init(_ pointer: OpaquePointer) { self.pointer = pointer }
  deinit { PQclear(pointer) }
}
