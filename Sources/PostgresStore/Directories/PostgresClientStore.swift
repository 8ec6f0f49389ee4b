import Logging
import OAuthCore
import PostgresClient

/// The clients of the database, and what the command line does to them. Every change is announced in the change log.
public struct PostgresClientStore: ClientSource {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  // MARK: Reading

  private static let columns = """
    id, name, authentication, grants, redirect_uris, scopes, audiences, access_token_format, access_token_lifetime,
    is_disabled, created_at,
    ARRAY(SELECT verifier FROM client_secret WHERE client = client.id AND (expires_at > $1) IS NOT FALSE
      ORDER BY created_at DESC, verifier),
    (SELECT min(expires_at) FROM client_secret WHERE client = client.id AND expires_at > $1)
    """

  private static let find = PreparedStatement("SELECT \(columns) FROM client WHERE id = ANY ($2)")
  private static let list = PreparedStatement("SELECT \(columns) FROM client ORDER BY id")

  public func clients(_ ids: [ClientID], at now: Timestamp) async throws(StoreFailure) -> [RegisteredClient] {
    try await database.query(
      Self.find, [.timestamp(now), .textArray(ids.map(\.rawValue).filter(\.isStorableName))], Self.registeredClient)
  }

  public func clients(at now: Timestamp) async throws(StoreFailure) -> [RegisteredClient] {
    try await database.query(Self.list, [.timestamp(now)], Self.registeredClient)
  }

  private static func registeredClient(_ row: PostgresRow) throws(PostgresError) -> RegisteredClient {
    guard let authentication = ClientAuthenticationMethod(rawValue: try row.text(2)) else {
      throw .decoding("client.authentication holds a value that this version does not know")
    }
    var format: AccessTokenFormat?
    if let text = try row.optionalText(7) {
      guard let known = AccessTokenFormat(rawValue: text) else {
        throw .decoding("client.access_token_format holds a value that this version does not know")
      }
      format = known
    }
    let client = Client(
      id: ClientID(try row.text(0)),
      name: try row.text(1),
      authentication: authentication,
      secrets: try row.textArray(11).compactMap(SecretVerifier.init(columnText:)),
      grants: Set(try row.textArray(3).map(GrantType.init(_:))),
      redirectURIs: try row.textArray(4),
      scopes: try row.scopes(5),
      audiences: try row.textArray(6),
      accessTokenFormat: format,
      accessTokenLifetime: try row.optionalInt64(8).map { .microseconds($0) },
      isDisabled: try row.bool(9))
    return RegisteredClient(
      client: client, createdAt: try row.moment(10), secretExpiresAt: try row.optionalMoment(12))
  }

  // MARK: Changing

  private static let create = PreparedStatement(
    """
    WITH created AS (
      INSERT INTO client (
        id, name, authentication, grants, redirect_uris, scopes, audiences, access_token_format, access_token_lifetime,
        is_disabled, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
      ON CONFLICT DO NOTHING
      RETURNING id
    ), secrets AS (
      INSERT INTO client_secret (client, verifier, created_at) SELECT id, unnest($12::text[]), $11 FROM created
    ), logged AS (
      INSERT INTO change_log (kind, key) SELECT 'client_changed', id FROM created
    )
    SELECT id FROM created
    """)

  /// Of the secrets that are live, the newest stays beside the one that is added; the others go.
  private static let rotateSecret = PreparedStatement(
    """
    WITH target AS (
      SELECT id FROM client WHERE id = $1 FOR UPDATE
    ), newest AS (
      SELECT verifier FROM client_secret
      WHERE client = $1 AND (expires_at > $3) IS NOT FALSE ORDER BY created_at DESC, verifier LIMIT 1
    ), withdrawn AS (
      DELETE FROM client_secret WHERE client = $1 AND verifier NOT IN (SELECT verifier FROM newest)
    ), retiring AS (
      UPDATE client_secret SET expires_at = least(expires_at, $4)
      WHERE client = $1 AND verifier IN (SELECT verifier FROM newest)
    ), added AS (
      INSERT INTO client_secret (client, verifier, created_at) SELECT id, $2, $3 FROM target
    ), logged AS (
      INSERT INTO change_log (kind, key) SELECT 'client_changed', id FROM target
    )
    SELECT id FROM target
    """)

  private static let setDisabled = PreparedStatement(
    """
    WITH changed AS (UPDATE client SET is_disabled = $2 WHERE id = $1 RETURNING id),
    logged AS (INSERT INTO change_log (kind, key) SELECT 'client_changed', id FROM changed)
    SELECT id FROM changed
    """)

  /// - Returns: false when the id is taken; nothing changed then.
  public func create(_ client: Client, at now: Timestamp) async throws(StoreFailure) -> Bool {
    let created = try await database.query(Self.create, [
      .text(client.id.rawValue),
      .text(client.name),
      .text(client.authentication.rawValue),
      .textArray(client.grants.map(\.rawValue).sorted()),
      .textArray(client.redirectURIs),
      .scopes(client.scopes),
      .textArray(client.audiences),
      .text(client.accessTokenFormat?.rawValue),
      .int64(client.accessTokenLifetime?.wholeMicroseconds),
      .bool(client.isDisabled),
      .timestamp(now),
      .textArray(client.secrets.map(\.columnText)),
    ])
    return created.count == 1
  }

  /// Adds a secret; the one before it stays valid, so that a rotation needs no outage.
  ///
  /// - Parameter previousEndsAt: when the secret before ends; nil: with the next rotation.
  /// - Returns: false when there is no such client.
  public func rotateSecret(
    of id: ClientID, to verifier: SecretVerifier, previousEndsAt: Timestamp?, at now: Timestamp
  ) async throws(StoreFailure) -> Bool {
    guard id.rawValue.isStorableName else { return false }
    let rotated = try await database.query(Self.rotateSecret, [
      .text(id.rawValue), .text(verifier.columnText), .timestamp(now), .timestamp(previousEndsAt),
    ])
    return rotated.count == 1
  }

  /// - Returns: false when there is no such client.
  public func setDisabled(_ isDisabled: Bool, _ id: ClientID) async throws(StoreFailure) -> Bool {
    guard id.rawValue.isStorableName else { return false }
    return try await database.query(Self.setDisabled, [.text(id.rawValue), .bool(isDisabled)]).count == 1
  }
}

extension Duration {
  /// Rounded towards zero.
  var wholeMicroseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
