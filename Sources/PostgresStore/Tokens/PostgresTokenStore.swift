import Logging
import OAuthCore
import PostgresClient

/// Tokens and grant families in PostgreSQL. Each operation is one statement; the folder has a file for each.
///
/// Durability is PostgreSQL's default, `synchronous_commit = on`: what was answered survives a crash of either process.
public struct PostgresTokenStore: TokenStore {
  /// More tokens than this do not share a commit: beyond it a batch only makes its first row wait.
  public static let batchRowCountMax = 128

  let database: Database
  /// One per loop, as the pools are.
  private let lone: [BatchedInsert<Issuance>]

  public init(pools: PoolGroup, logger: Logger) {
    database = Database(pools: pools, logger: logger)
    lone = pools.map { pool in
      // One batch under way: the next gathers longer, and a larger batch costs PostgreSQL less per row.
      BatchedInsert(
        pool: pool, statement: Self.insertAccessTokens, rowCountMax: Self.batchRowCountMax,
        batchesInFlightMax: 1, encode: Self.accessTokenColumns)
    }
  }

  public func issue(_ issuance: Issuance) async throws(StoreFailure) -> IssuanceOutcome {
    guard issuance.consumes.isEmpty, issuance.family == nil, !issuance.restsOnConsent else {
      return try await issueConsuming(issuance)
    }
    // Nothing can conflict, so it may share a commit with others; a JWT leaves no row at all.
    guard issuance.accessToken != nil else { return .issued }
    do {
      let batches = lone[database.pools.currentIndex]
      try await database.rerouting { () throws(PostgresError) in try await batches.insert(issuance) }
      return .issued
    } catch {
      throw database.failure(error)
    }
  }
}
