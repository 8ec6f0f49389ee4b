import OAuthCore

/// Keeps the connections of users: their states, and the leases under which their credentials are refreshed. Every key
/// that is passed has a subject.
///
/// `commit` goes by the generation alone: a refresh token that a provider has rotated is the only one left, so it is
/// stored even when its lease has passed to another instance, which then finds that the generation has moved. It ends a
/// `needsReauthentication` of its generation.
///
/// Whatever changes a connection is told to every instance (`Change.connectionChanged`).
public protocol UserConnectionStore: ConnectionStore {
  /// nil: never connected.
  func connection(_ key: ConnectionKey) async throws(StoreFailure) -> UserConnection?

  /// What a subject has connected and not disconnected.
  func connections(of subject: Subject) async throws(StoreFailure) -> [ConnectionSummary]

  /// Takes the right to refresh and records the attempt before the provider hears of it. Where the connection is active,
  /// still at `generation`, and no lease is live. One statement.
  ///
  /// The lease tells whether an earlier attempt on the same generation has left no outcome; `commit`, `release` and
  /// `requireReauthentication` are outcomes.
  func takeRefreshLease(
    on key: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome

  /// Marks the connection, where it is still at the lease's generation and epoch.
  func requireReauthentication(_ reason: ReauthenticationReason, under lease: ConnectionLease) async throws(StoreFailure)

  /// Makes sure that there is a row.
  ///
  /// - Returns: the generation that the next `establish` replaces.
  func prepare(_ key: ConnectionKey) async throws(StoreFailure) -> Int64

  /// Stores what the user has just granted, where the row is still at the generation before `credential`'s, and makes the
  /// connection active. Every lease is fenced off. Durable before it returns.
  func establish(_ credential: StoredCredential, of key: ConnectionKey, at now: Timestamp) async throws(StoreFailure) -> CommitOutcome

  /// Forgets the credential and fences every lease off. Durable before it returns.
  func revoke(_ key: ConnectionKey) async throws(StoreFailure)
}

/// A connection as its owner sees it.
public struct ConnectionSummary: Sendable, Equatable {
  public var provider: ProviderID
  public var state: ConnectionState
  public var connectedAt: Timestamp

  public init(provider: ProviderID, state: ConnectionState, connectedAt: Timestamp) {
    self.provider = provider
    self.state = state
    self.connectedAt = connectedAt
  }
}
