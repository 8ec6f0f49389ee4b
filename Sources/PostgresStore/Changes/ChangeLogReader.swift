import OAuthCore
import PostgresClient

/// Reads the change log's tail, so that nothing committed is ever skipped.
///
/// Rows are numbered before they commit, so one may become visible after its successors; "greater than the last number
/// read" would miss it. The position is therefore a snapshot, PostgreSQL's own account of which transactions were
/// visible, and the tail is every row whose transaction the last snapshot did not see and this one does. Nothing is
/// read twice either.
///
/// Source: PostgreSQL documentation, "System Information Functions", transaction ids and snapshots.
struct ChangeLogReader: Sendable {
  /// A longer tail is not worth reading: forgetting everything costs the observers less.
  static let changeCountMax = 10_000

  /// A snapshot in PostgreSQL's text form, `xmin:xmax:xip_list`.
  struct Position: Sendable, Equatable {
    let snapshot: String
  }

  enum Tail: Sendable, Equatable {
    case changes([Change])
    /// It cannot be told what was missed: the log does not reach back, is too long, or belongs to another past.
    case unknown
  }

  /// An empty tail is one row without a change, so that the new snapshot is always told. A last snapshot that ends
  /// beyond this one comes from a server whose past differs, such as a restored one.
  private static let readTail = PreparedStatement(
    """
    SELECT now.snapshot::text, pg_snapshot_xmax(now.snapshot) < pg_snapshot_xmax(last.snapshot), kind, key
    FROM (SELECT pg_current_snapshot()) AS now (snapshot)
    CROSS JOIN (SELECT $1::pg_snapshot) AS last (snapshot)
    LEFT JOIN change_log
      ON transaction >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(transaction, $1::pg_snapshot)
    ORDER BY number
    LIMIT $2
    """)

  private static let readPosition = PreparedStatement("SELECT pg_current_snapshot()::text")

  let pool: PostgresPool

  /// Where the log is now.
  func position() async throws(PostgresError) -> Position {
    let rows = try await pool.query(Self.readPosition)
    return Position(snapshot: try rows[0].text(0))
  }

  /// What was committed since `position`, in the order of the log, and the position after it.
  func tail(after position: Position) async throws(PostgresError) -> (Tail, Position) {
    let rows = try await pool.query(
      Self.readTail, [.text(position.snapshot), .int64(Int64(Self.changeCountMax + 1))])
    let next = Position(snapshot: try rows[0].text(0))
    guard rows.count <= Self.changeCountMax, try !rows[0].bool(1) else { return (.unknown, next) }
    var changes: [Change] = []
    for row in rows {
      guard let kind = try row.optionalText(2) else { continue }
      guard let change = Change(kind: kind, key: try row.text(3)) else { return (.unknown, next) }
      changes.append(change)
    }
    return (.changes(changes), next)
  }
}
