import OAuthCore

/// Keeps the connections of users: what they connect, see and end. Every key that is passed has a subject.
public protocol UserConnectionStore: ConnectionStore {
  /// What a subject has connected and not disconnected.
  func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary]

  /// Makes sure that there is a row.
  ///
  /// - Returns: the generation that the next `establish` replaces.
  func prepare(_ key: ConnectionKey) async throws(StoreFailure) -> Int64

  /// Stores what the user has just granted, where the row is still at the generation before `credential`'s, and makes the
  /// connection active. Every lease is fenced off, and what was kept goes. Durable before it returns.
  func establish(_ credential: StoredCredential, of key: ConnectionKey, at now: Timestamp) async throws(StoreFailure) -> CommitOutcome

  /// Forgets the credential and what was kept beside it, and fences every lease off. Durable before it returns.
  func revoke(_ key: ConnectionKey) async throws(StoreFailure)
}

/// A connection as its owner sees it.
public struct ConnectionSummary: Sendable, Equatable {
  public var provider: ProviderID
  public var state: ConnectionState
  public var connectedAt: Timestamp
  /// Granted, in the provider's words; empty: not known.
  public var scopes: [String]
  /// By a route or a command, to within minutes; nil: never.
  public var usedAt: Timestamp?

  public init(
    provider: ProviderID, state: ConnectionState, connectedAt: Timestamp, scopes: [String] = [], usedAt: Timestamp? = nil
  ) {
    self.provider = provider
    self.state = state
    self.connectedAt = connectedAt
    self.scopes = scopes
    self.usedAt = usedAt
  }
}
