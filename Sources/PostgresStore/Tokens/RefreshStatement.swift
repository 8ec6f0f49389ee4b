import OAuthCore
import PostgresClient

extension PostgresTokenStore {
  /// Moves a family on and records the access token. Every condition is a predicate: without a match nothing is
  /// written.
  ///
  /// Of several callers with the same token, PostgreSQL lets one update at a time: the first finds its token as the
  /// current one, each further one re-reads the row, finds its token as the previous one inside the grace window, and
  /// leaves the same successor there. The previous token only counts while its successor is still the current one.
  private static let refresh = PreparedStatement(
    """
    WITH moved AS (
      UPDATE grant_family SET
        previous_hash = $3,
        refresh_hash = $4,
        rotated_at = CASE WHEN refresh_hash = $3 THEN $7 ELSE rotated_at END,
        idle_expires_at = least($9, expires_at)
      WHERE locator = $1 AND client = $2
        AND revoked_at IS NULL AND expires_at > $7 AND idle_expires_at > $7
        AND (refresh_hash = $3 OR (refresh_hash = $4 AND previous_hash = $3 AND rotated_at > $8))
        AND scope @> coalesce($5::text[], '{}') AND audience @> coalesce($6::text[], '{}')
      RETURNING locator, client, subject, coalesce($5::text[], scope) AS scope, coalesce($6::text[], audience) AS audience,
        authenticated_at, claims, expires_at
    ), token AS (
      INSERT INTO access_token (
        locator, secret_hash, family, client, subject, scope, audience, authenticated_at, claims, expires_at)
      SELECT $10, $11, locator, client, subject, scope, audience, authenticated_at, claims, least($12, expires_at)
      FROM moved WHERE $10 IS NOT NULL
    )
    SELECT subject, client, scope, audience, authenticated_at, claims, expires_at FROM moved
    """)

  /// Why a refresh found no row; on reuse it ends the family, and on nothing else it writes.
  ///
  /// The handle's tag was good, so a token that is neither the current one nor a previous one in its window was
  /// superseded: somebody uses it who should not have it, or the successor is with somebody who should not have that.
  /// Source: RFC 9700 §4.14.2.
  private static let diagnose = PreparedStatement(
    """
    WITH reused AS (
      UPDATE grant_family SET revoked_at = $3, revocation_reason = $7
      WHERE locator = $1 AND client = $2
        AND revoked_at IS NULL AND expires_at > $3 AND idle_expires_at > $3
        AND refresh_hash <> $4 AND (previous_hash = $4 AND rotated_at > $5) IS NOT TRUE
      RETURNING locator
    ), logged AS (
      INSERT INTO change_log (kind, key) SELECT 'family_revoked', locator::text FROM reused
    )
    SELECT EXISTS (SELECT FROM reused),
      alive.scope @> coalesce($6::text[], '{}'), alive.audience @> coalesce($8::text[], '{}')
    FROM (VALUES (true)) AS always
    LEFT JOIN grant_family AS alive
      ON locator = $1 AND client = $2 AND revoked_at IS NULL AND expires_at > $3 AND idle_expires_at > $3
    """)

  public func refresh(_ use: RefreshUse) async throws(StoreFailure) -> RefreshOutcome {
    let token = use.accessToken
    let refreshed = try await database.query(Self.refresh, [
      .locator(use.family),
      .text(use.client.rawValue),
      .digest(use.presentedHash),
      .digest(use.successorHash),
      .text(use.scope?.arrayLiteral),
      .text(use.audience?.arrayLiteral),
      .timestamp(use.now),
      .timestamp(use.now - use.grace),
      .timestamp(use.idleExpiresAt),
      .locator(token?.locator),
      .digest(token?.secretHash),
      .timestamp(token?.expiresAt),
    ]) { row throws(PostgresError) in
      RefreshOutcome.refreshed(try row.authorization(from: 0), familyExpiresAt: try row.moment(6))
    }
    if let refreshed = refreshed.first { return refreshed }
    return .refused(try await refusal(of: use))
  }

  private func refusal(of use: RefreshUse) async throws(StoreFailure) -> RefreshRefusal {
    let findings = try await database.query(Self.diagnose, [
      .locator(use.family),
      .text(use.client.rawValue),
      .timestamp(use.now),
      .digest(use.presentedHash),
      .timestamp(use.now - use.grace),
      .text(use.scope?.arrayLiteral),
      .text(RevocationReason.refreshReuse.rawValue),
      .text(use.audience?.arrayLiteral),
    ]) { row throws(PostgresError) in
      (wasReused: try row.bool(0), hasScope: try row.optionalBool(1), hasAudience: try row.optionalBool(2))
    }
    guard let finding = findings.first else { return .invalid }
    if finding.wasReused { return .reused }
    if finding.hasScope == false { return .scopeExceeded }
    if finding.hasAudience == false { return .audienceExceeded }
    return .invalid
  }
}
