import OAuthCore
import PostgresClient

extension PostgresTokenStore {
  // Each appends to the change log what it really ended, so repeating one changes and announces nothing.

  private static let revokeAccessToken = PreparedStatement(
    """
    WITH ended AS (
      INSERT INTO revoked_token (locator, expires_at, revoked_at) SELECT $1, $2, $3 WHERE $2 > $3
      ON CONFLICT DO NOTHING
      RETURNING locator
    )
    INSERT INTO change_log (kind, key) SELECT 'access_token_revoked', locator::text FROM ended
    """)

  private static let revokeFamily = PreparedStatement(
    """
    WITH ended AS (
      UPDATE grant_family SET revoked_at = $2, revocation_reason = $3 WHERE locator = $1 AND revoked_at IS NULL
      RETURNING locator
    )
    INSERT INTO change_log (kind, key) SELECT 'family_revoked', locator::text FROM ended
    """)

  /// Locks the rows in a fixed order, so that two of these cannot wait for each other.
  private static let revokeFamilies = PreparedStatement(
    """
    WITH alive AS (
      SELECT locator FROM grant_family WHERE subject = $1 AND client = $2 AND revoked_at IS NULL
      ORDER BY locator FOR UPDATE
    ), ended AS (
      UPDATE grant_family SET revoked_at = $3, revocation_reason = $4
      FROM alive WHERE grant_family.locator = alive.locator
      RETURNING grant_family.locator
    )
    INSERT INTO change_log (kind, key) SELECT 'family_revoked', locator::text FROM ended
    """)

  public func revokeAccessToken(_ locator: Locator, expiresAt: Timestamp, at now: Timestamp) async throws(StoreFailure) {
    _ = try await database.query(Self.revokeAccessToken, [.locator(locator), .timestamp(expiresAt), .timestamp(now)])
  }

  public func revokeFamily(_ locator: Locator, reason: RevocationReason, at now: Timestamp) async throws(StoreFailure) {
    _ = try await database.query(Self.revokeFamily, [.locator(locator), .timestamp(now), .text(reason.rawValue)])
  }

  public func revokeFamilies(of subject: Subject, client: ClientID, at now: Timestamp) async throws(StoreFailure) {
    _ = try await database.query(Self.revokeFamilies, [
      .text(subject.rawValue), .text(client.rawValue), .timestamp(now), .text(RevocationReason.consentWithdrawn.rawValue),
    ])
  }
}
