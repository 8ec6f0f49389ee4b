import Cryptography

/// Finds registered clients, from the configuration and from the database.
public protocol ClientDirectory: Sendable {
  /// nil when unknown. A disabled client is returned, with `isDisabled` set.
  func client(_ id: ClientID) async throws(StoreFailure) -> Client?
}

/// A person who can sign in.
public struct Account: Sendable, Equatable {
  public var subject: Subject
  public var username: String
  /// A PHC string, `$scrypt$ln=14,r=8,p=1$salt$hash`.
  public var passwordHash: String
  public var isDisabled: Bool
  public var isConfigured: Bool

  public init(
    subject: Subject, username: String, passwordHash: String, isDisabled: Bool = false, isConfigured: Bool = false
  ) {
    self.subject = subject
    self.username = username
    self.passwordHash = passwordHash
    self.isDisabled = isDisabled
    self.isConfigured = isConfigured
  }
}

public protocol AccountDirectory: Sendable {
  func account(username: String) async throws(StoreFailure) -> Account?
  func account(subject: Subject) async throws(StoreFailure) -> Account?
}

/// A browser session. The cookie carries a handle; only the digest of its secret is kept.
public struct BrowserSession: Sendable {
  public var locator: Locator
  public var secretHash: Digest256
  /// nil until the resource owner has signed in.
  public var subject: Subject?
  public var authenticatedAt: Timestamp?
  public var expiresAt: Timestamp

  public init(
    locator: Locator, secretHash: Digest256, subject: Subject?, authenticatedAt: Timestamp?, expiresAt: Timestamp
  ) {
    self.locator = locator
    self.secretHash = secretHash
    self.subject = subject
    self.authenticatedAt = authenticatedAt
    self.expiresAt = expiresAt
  }
}

public protocol SessionStore: Sendable {
  /// Records a session and ends the one it replaces, in one statement: the session id changes at sign-in.
  func begin(_ session: BrowserSession, replacing old: Locator?) async throws(StoreFailure)
  /// nil when unknown, ended or expired.
  func session(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> BrowserSession?
  func end(_ locator: Locator) async throws(StoreFailure)
}

/// What a subject has allowed a client.
public struct Consent: Sendable {
  public var subject: Subject
  public var client: ClientID
  public var scope: ScopeSet
  public var grantedAt: Timestamp

  public init(subject: Subject, client: ClientID, scope: ScopeSet, grantedAt: Timestamp) {
    self.subject = subject
    self.client = client
    self.scope = scope
    self.grantedAt = grantedAt
  }
}

public protocol ConsentStore: Sendable {
  func consent(of subject: Subject, for client: ClientID) async throws(StoreFailure) -> Consent?
  func consents(of subject: Subject) async throws(StoreFailure) -> [Consent]
  /// Adds `scope` to what was allowed before. Durable before it returns.
  func allow(_ scope: ScopeSet, to client: ClientID, by subject: Subject, at now: Timestamp) async throws(StoreFailure)
  /// Forgets the consent; the caller revokes the families (`TokenStore.revokeFamilies`).
  func withdraw(from client: ClientID, by subject: Subject, at now: Timestamp) async throws(StoreFailure)
}

/// The server's own signing keys, kept sealed.
public struct StoredSigningKey: Sendable {
  public var keyID: String
  /// JWA name, such as `ES256`.
  public var algorithm: String
  /// Private JWK, sealed under the key ring with the key id as associated data.
  public var sealedPrivateKey: [UInt8]
  public var createdAt: Timestamp

  public init(keyID: String, algorithm: String, sealedPrivateKey: [UInt8], createdAt: Timestamp) {
    self.keyID = keyID
    self.algorithm = algorithm
    self.sealedPrivateKey = sealedPrivateKey
    self.createdAt = createdAt
  }
}

public protocol SigningKeyStore: Sendable {
  func signingKeys() async throws(StoreFailure) -> [StoredSigningKey]
  /// Records `candidate` unless a key of its algorithm exists; returns all keys afterwards. Two instances that start
  /// together end up with the same single key.
  func establish(_ candidate: StoredSigningKey) async throws(StoreFailure) -> [StoredSigningKey]
  /// Replaces the sealed form of `key` where it is still as given.
  func reseal(_ key: StoredSigningKey, as sealed: [UInt8]) async throws(StoreFailure)
}
