import OAuthCore

/// The accounts of the configuration file before those of the database.
public struct LayeredAccountDirectory<Database: AccountDirectory>: AccountDirectory {
  private let byUsername: [String: Account]
  private let bySubject: [Subject: Account]
  private let database: Database

  /// - Parameter configured: names and subjects are unique; the configuration was checked for it.
  public init(configured: [Account], database: Database) {
    byUsername = Dictionary(configured.map { ($0.username, $0) }, uniquingKeysWith: { first, _ in first })
    bySubject = Dictionary(configured.map { ($0.subject, $0) }, uniquingKeysWith: { first, _ in first })
    self.database = database
  }

  public func account(username: String) async throws(StoreFailure) -> Account? {
    if let account = byUsername[username] { return account }
    return try await database.account(username: username)
  }

  public func account(subject: Subject) async throws(StoreFailure) -> Account? {
    if let account = bySubject[subject] { return account }
    return try await database.account(subject: subject)
  }
}
