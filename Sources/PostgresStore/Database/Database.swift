import Logging
import OAuthCore
import PostgresClient

/// Where every statement of the store goes out, and where PostgreSQL's failures become the two that callers can act on.
struct Database: Sendable {
  let pools: PoolGroup
  let logger: Logger

  func query(
    _ statement: PreparedStatement, _ parameters: [PostgresValue]
  ) async throws(StoreFailure) -> PostgresRows {
    do {
      return try await rerouting { () throws(PostgresError) in try await pools.current.query(statement, parameters) }
    } catch {
      throw failure(error)
    }
  }

  /// Runs `body`, once more if the row it inserts was on its way to a default partition while `Maintenance` made the
  /// one it belongs to: PostgreSQL refuses it then (23514, check_violation), and nothing took effect. The second time
  /// finds the new partition.
  func rerouting<Value: Sendable>(
    _ body: () async throws(PostgresError) -> Value
  ) async throws(PostgresError) -> Value {
    do throws(PostgresError) {
      return try await body()
    } catch {
      guard error.sqlState == "23514" else { throw error }
      return try await body()
    }
  }

  /// Runs a statement and reads its rows.
  func query<Value>(
    _ statement: PreparedStatement, _ parameters: [PostgresValue],
    _ decode: (PostgresRow) throws(PostgresError) -> Value
  ) async throws(StoreFailure) -> [Value] {
    let rows = try await query(statement, parameters)
    do {
      var values: [Value] = []
      values.reserveCapacity(rows.count)
      for row in rows { values.append(try decode(row)) }
      return values
    } catch {
      throw failure(error)
    }
  }

  func failure(_ error: PostgresError) -> StoreFailure {
    StoreFailure(error, logger: logger)
  }
}

extension StoreFailure {
  /// The caller learns whether to try again; the operator learns the rest from the log, which holds no parameter
  /// values. A database that is gone is reported once by its connections, not by every statement that misses it.
  init(_ error: PostgresError, logger: Logger) {
    switch error {
    case .overloaded:
      logger.debug("\(error.debugDescription)")
      self = .overloaded
    case .unavailable, .closed:
      logger.debug("\(error.debugDescription)")
      self = .unavailable
    case .timeout:
      logger.warning("\(error.debugDescription)")
      self = .unavailable
    case .server, .decoding:
      logger.error("\(error.debugDescription)")
      self = .unavailable
    }
  }
}
