import OAuthCore
import PostgresClient

extension PostgresTokenStore {
  /// The statement that wins the artefacts and records what they yield.
  ///
  /// Who comes second waits at the unique key until the first has committed and then wins nothing. Won and lost
  /// artefacts in one issuance undo the statement (`refuse_partial_use`), so that none stays consumed without a token.
  /// Artefacts are taken in a fixed order, so that two issuances cannot wait for each other. An artefact past its
  /// expiry is never won: its use may have been forgotten already. A token does not outlive its family.
  ///
  /// The consent and the account stay locked until this has committed. So a withdrawal either comes first, and is seen
  /// here, or waits, and then finds the family to revoke.
  private static let issue = PreparedStatement(
    """
    WITH consented AS (
      SELECT FROM consent WHERE subject = $7 AND client = $6 AND scope @> $8 FOR KEY SHARE
    ), owner AS (
      SELECT is_disabled FROM account WHERE subject = $7 FOR SHARE
    ), permission AS (
      SELECT (NOT $18::boolean OR EXISTS (SELECT FROM consented)) AND NOT EXISTS (SELECT FROM owner WHERE is_disabled)
        AS stands
    ), consumed AS (
      INSERT INTO once (expires_at, kind, id)
      SELECT expires_at, kind, id
      FROM permission, unnest($1::timestamptz[], $2::text[], $3::bytea[]) AS artefact (expires_at, kind, id)
      WHERE stands AND expires_at > $4
      ON CONFLICT DO NOTHING
      RETURNING kind
    ), won AS (
      SELECT CASE count(*) WHEN cardinality($1) THEN true WHEN 0 THEN false ELSE refuse_partial_use() END AS all_of_them
      FROM consumed
    ), verdict AS (
      SELECT stands, stands AND all_of_them AS won FROM permission, won
    ), family AS (
      INSERT INTO grant_family (
        locator, client, subject, scope, audience, authenticated_at, claims, refresh_hash, idle_expires_at, expires_at)
      SELECT $5, $6, $7, $8, $9, $10, $11::json, $12, $13, $14 FROM verdict WHERE won AND $5 IS NOT NULL
    ), token AS (
      INSERT INTO access_token (
        locator, family, client, subject, scope, audience, authenticated_at, claims, secret_hash, expires_at)
      SELECT $15, $5, $6, $7, $8, $9, $10, $11::json, $16, least($17, $14) FROM verdict WHERE won AND $15 IS NOT NULL
    )
    SELECT stands, won FROM verdict
    """)

  /// SQLSTATE of `refuse_partial_use`.
  private static let partialUse = "PN001"

  func issueConsuming(_ issuance: Issuance) async throws(StoreFailure) -> IssuanceOutcome {
    let outcome = try await record(issuance)
    guard outcome == .alreadyUsed else { return outcome }
    // The winner may have committed while the statement above was waiting for it; only a statement that starts now is
    // certain to see the family it created.
    if let family = issuance.family {
      try await revokeFamily(family.locator, reason: .codeReplay, at: issuance.now)
    }
    return .alreadyUsed
  }

  private func record(_ issuance: Issuance) async throws(StoreFailure) -> IssuanceOutcome {
    let artefacts = issuance.consumes.sorted { left, right in
      left.kind == right.kind ? left.id.lexicographicallyPrecedes(right.id) : left.kind < right.kind
    }
    let authorization = issuance.authorization
    let family = issuance.family
    let token = issuance.accessToken
    let parameters: [PostgresValue] = [
      .timestampArray(artefacts.map(\.expiresAt.microseconds)),
      .textArray(artefacts.map(\.kind)),
      .bytesArray(artefacts.map(\.id)),
      .timestamp(issuance.now),
      .locator(family?.locator),
      .text(authorization.client.rawValue),
      .text(authorization.subject.rawValue),
      .scopes(authorization.scope),
      .textArray(authorization.audience),
      .timestamp(authorization.authenticatedAt),
      .text(authorization.claimsText),
      .digest(family?.refreshHash),
      .timestamp(family?.idleExpiresAt),
      .timestamp(family?.expiresAt),
      .locator(token?.locator),
      .digest(token?.secretHash),
      .timestamp(token?.expiresAt),
      .bool(issuance.restsOnConsent),
    ]
    do {
      let rows = try await database.rerouting { () throws(PostgresError) in
        try await database.pools.current.query(Self.issue, parameters)
      }
      guard try rows[0].bool(0) else { return .notPermitted }
      return try rows[0].bool(1) ? .issued : .alreadyUsed
    } catch {
      if error.sqlState == Self.partialUse { return .alreadyUsed }
      throw database.failure(error)
    }
  }
}

extension PostgresTokenStore {
  /// Many access tokens that consume nothing, in one statement and one commit.
  static let insertAccessTokens = PreparedStatement(
    """
    INSERT INTO access_token (
      locator, client, subject, scope, audience, authenticated_at, claims, secret_hash, expires_at)
    SELECT
      locator, client, subject, scope::text[], audience::text[], authenticated_at, claims::json, secret_hash, expires_at
    FROM unnest(
      $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::bytea[],
      $9::timestamptz[]
    ) AS token (locator, client, subject, scope, audience, authenticated_at, claims, secret_hash, expires_at)
    """)

  static func accessTokenColumns(_ issuances: [Issuance]) -> [PostgresValue] {
    let tokens = issuances.map { issuance in
      guard let token = issuance.accessToken else { preconditionFailure("only stored tokens are batched") }
      return token
    }
    return [
      .uuidWordsArray(tokens.map { ($0.locator.high, $0.locator.low) }),
      .textArray(issuances.map(\.authorization.client.rawValue)),
      .textArray(issuances.map(\.authorization.subject.rawValue)),
      .textArray(issuances.map(\.authorization.scope.arrayLiteral)),
      .textArray(issuances.map(\.authorization.audience.arrayLiteral)),
      .timestampArray(issuances.map(\.authorization.authenticatedAt?.microseconds)),
      .textArray(issuances.map(\.authorization.claimsText)),
      .bytesArray(tokens.map(\.secretHash.bytes)),
      .timestampArray(tokens.map(\.expiresAt.microseconds)),
    ]
  }
}
