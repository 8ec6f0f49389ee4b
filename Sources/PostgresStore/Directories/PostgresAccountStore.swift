import Logging
import OAuthCore
import PostgresClient

/// The accounts of the database, and what the command line does to them. Every change is announced in the change log.
public struct PostgresAccountStore: AccountDirectory {
  private let database: Database

  public init(pools: PoolGroup, logger: Logger) { database = Database(pools: pools, logger: logger) }

  private static let columns = "subject, username, password_hash, is_disabled"

  private static let findByUsername = PreparedStatement("SELECT \(columns) FROM account WHERE username = $1")
  private static let findBySubject = PreparedStatement("SELECT \(columns) FROM account WHERE subject = $1")
  private static let list = PreparedStatement("SELECT \(columns) FROM account ORDER BY username")

  private static let create = PreparedStatement(
    """
    WITH created AS (
      INSERT INTO account (subject, username, password_hash, is_disabled, created_at) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT DO NOTHING
      RETURNING subject
    ), logged AS (
      INSERT INTO change_log (kind, key) SELECT 'account_changed', subject FROM created
    )
    SELECT subject FROM created
    """)

  /// Ends the account's browser sessions: whoever knew the old password may be signed in to one. Its grant families stay:
  /// an app holds tokens and never knew the password, and a password changed as a matter of routine must not cut every
  /// app off. Apps are ended on the account page one by one, or all at once by disabling the account.
  ///
  /// Source: OWASP ASVS 4.0.3 §3.3.3.
  private static let setPassword = PreparedStatement(
    """
    WITH changed AS (UPDATE account SET password_hash = $2 WHERE username = $1 RETURNING subject),
    signed_out AS (DELETE FROM session USING changed WHERE session.subject = changed.subject),
    logged AS (INSERT INTO change_log (kind, key) SELECT 'account_changed', subject FROM changed)
    SELECT subject FROM changed
    """)

  /// Ends what the account began: its browser sessions and its grant families. Locks families in a fixed order, as
  /// withdrawing a consent does, so that the two cannot wait for each other.
  private static let disable = PreparedStatement(
    """
    WITH changed AS (
      UPDATE account SET is_disabled = true WHERE username = $1 RETURNING subject
    ), signed_out AS (
      DELETE FROM session USING changed WHERE session.subject = changed.subject
    ), alive AS (
      SELECT locator FROM grant_family
      WHERE subject = (SELECT subject FROM changed) AND revoked_at IS NULL ORDER BY locator FOR UPDATE
    ), ended AS (
      UPDATE grant_family SET revoked_at = $2, revocation_reason = $3
      FROM alive WHERE grant_family.locator = alive.locator
      RETURNING grant_family.locator
    ), logged AS (
      INSERT INTO change_log (kind, key)
      SELECT 'account_changed', subject FROM changed UNION ALL SELECT 'family_revoked', locator::text FROM ended
    )
    SELECT subject FROM changed
    """)

  /// The same for an account that stands in no table, such as one that was taken out of the configuration.
  private static let end = PreparedStatement(
    """
    WITH signed_out AS (
      DELETE FROM session WHERE subject = $1
    ), alive AS (
      SELECT locator FROM grant_family WHERE subject = $1 AND revoked_at IS NULL ORDER BY locator FOR UPDATE
    ), ended AS (
      UPDATE grant_family SET revoked_at = $2, revocation_reason = $3
      FROM alive WHERE grant_family.locator = alive.locator
      RETURNING grant_family.locator
    )
    INSERT INTO change_log (kind, key)
    SELECT 'account_changed', $1 UNION ALL SELECT 'family_revoked', locator::text FROM ended
    """)

  /// What a new password does, for an account that stands in the configuration.
  private static let signOut = PreparedStatement(
    """
    WITH signed_out AS (DELETE FROM session WHERE subject = $1)
    INSERT INTO change_log (kind, key) VALUES ('account_changed', $1)
    """)

  private static let enable = PreparedStatement(
    """
    WITH changed AS (UPDATE account SET is_disabled = false WHERE username = $1 RETURNING subject),
    logged AS (INSERT INTO change_log (kind, key) SELECT 'account_changed', subject FROM changed)
    SELECT subject FROM changed
    """)

  public func account(username: String) async throws(StoreFailure) -> Account? {
    guard username.isStorableName else { return nil }
    return try await database.query(Self.findByUsername, [.text(username)], Self.account).first
  }

  public func account(subject: Subject) async throws(StoreFailure) -> Account? {
    guard subject.rawValue.isStorableName else { return nil }
    return try await database.query(Self.findBySubject, [.text(subject.rawValue)], Self.account).first
  }

  public func accounts() async throws(StoreFailure) -> [Account] {
    try await database.query(Self.list, [], Self.account)
  }

  /// - Returns: false when the username or the subject is taken; nothing changed then.
  public func create(_ account: Account, at now: Timestamp) async throws(StoreFailure) -> Bool {
    let created = try await database.query(Self.create, [
      .text(account.subject.rawValue),
      .text(account.username),
      .text(account.passwordHash),
      .bool(account.isDisabled),
      .timestamp(now),
    ])
    return created.count == 1
  }

  /// Replaces the password and signs the account out of every browser; what apps were allowed goes on.
  ///
  /// - Parameter passwordHash: a PHC string.
  /// - Returns: false when there is no such account.
  public func setPassword(of username: String, to passwordHash: String) async throws(StoreFailure) -> Bool {
    guard username.isStorableName else { return false }
    return try await database.query(Self.setPassword, [.text(username), .text(passwordHash)]).count == 1
  }

  /// Ends the account's sessions and everything it has granted, and keeps it from signing in.
  ///
  /// - Returns: false when there is no such account.
  public func disable(_ username: String, at now: Timestamp) async throws(StoreFailure) -> Bool {
    guard username.isStorableName else { return false }
    let parameters: [PostgresValue] = [
      .text(username), .timestamp(now), .text(RevocationReason.accountDisabled.rawValue),
    ]
    guard try await database.query(Self.disable, parameters).count == 1 else { return false }
    // What was being issued while the statement waited for the account's row began before the account was disabled; only
    // a statement that starts now is certain to see it.
    _ = try await database.query(Self.disable, parameters)
    return true
  }

  /// Ends the sessions of a subject and everything it has granted, wherever its account stood.
  public func end(_ subject: Subject, at now: Timestamp) async throws(StoreFailure) {
    guard subject.rawValue.isStorableName else { return }
    _ = try await database.query(Self.end, [
      .text(subject.rawValue), .timestamp(now), .text(RevocationReason.accountDisabled.rawValue),
    ])
  }

  /// Ends the sessions of a subject, wherever its account stands; its grants go on.
  public func signOut(_ subject: Subject) async throws(StoreFailure) {
    guard subject.rawValue.isStorableName else { return }
    _ = try await database.query(Self.signOut, [.text(subject.rawValue)])
  }

  /// Lets an account sign in again; what was ended stays ended.
  ///
  /// - Returns: false when there is no such account.
  public func enable(_ username: String) async throws(StoreFailure) -> Bool {
    guard username.isStorableName else { return false }
    return try await database.query(Self.enable, [.text(username)]).count == 1
  }

  private static func account(_ row: PostgresRow) throws(PostgresError) -> Account {
    Account(
      subject: Subject(try row.text(0)), username: try row.text(1), passwordHash: try row.text(2),
      isDisabled: try row.bool(3))
  }
}

extension String {
  /// Whether a name that a stranger sent can stand in the database at all; others are answered without asking it.
  /// PostgreSQL keeps no NUL in text, and no name of ours has more than 256 bytes.
  var isStorableName: Bool { utf8.count <= 256 && !utf8.contains(0) }
}
