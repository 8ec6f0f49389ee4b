import OAuthCore

/// Keeps the credentials of connections, sealed. It never sees a token.
///
/// One row per connection holds the current generation; a lease on the row lets one instance at a time call the
/// provider, without a transaction staying open meanwhile. Lease times are measured on the store's own clock, so that
/// instances whose clocks differ agree about them.
public protocol ConnectionStore: Sendable {
  /// The credential of the current generation; nil when none was ever committed.
  func credential(of connection: ConnectionKey) async throws(StoreFailure) -> StoredCredential?

  /// Takes the right to renew: succeeds where the row is still at `generation` and no lease is live, and raises the
  /// row's epoch by one. Creates the row at generation 0 when there is none. One statement.
  ///
  /// - Parameters:
  ///   - generation: what the caller has seen; 0 for a connection without a credential.
  ///   - duration: longer than the deadline of the provider call that follows.
  func takeLease(
    on connection: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome

  /// Compare and set: where the row is still at the lease's generation and epoch, stores `credential` as the next
  /// generation and ends the lease. The lease may have run out; only a later lease fences it. Durable before it returns.
  ///
  /// Committing the same lease again after an answer was lost is safe: it reports `superseded` and changes nothing.
  func commit(_ credential: StoredCredential, under lease: ConnectionLease) async throws(StoreFailure) -> CommitOutcome

  /// Ends a lease without a new credential. Nothing happens when its epoch has passed.
  ///
  /// - Parameter pause: how long no instance may take the lease again: the back-off after a failure, shared.
  func release(_ lease: ConnectionLease, pause: Duration) async throws(StoreFailure)
}

/// The identity of one connection.
public struct ConnectionKey: Sendable, Hashable {
  public enum Owner: Sendable, Hashable {
    /// Postern's own credential at the provider, shared by all callers.
    case service
    /// The credential that this subject connected.
    case subject(Subject)
  }

  public var provider: ProviderID
  public var owner: Owner

  public init(provider: ProviderID, owner: Owner) {
    self.provider = provider
    self.owner = owner
  }
}

/// A sealed credential as the store keeps it.
public struct StoredCredential: Sendable, Equatable {
  /// 1 for the first that was committed.
  public var generation: Int64
  /// Opens only with the connection's key and this generation as associated data.
  public var sealed: [UInt8]
  /// When the access token inside expires; for listings, nothing is decided by it.
  public var expiresAt: Timestamp

  public init(generation: Int64, sealed: [UInt8], expiresAt: Timestamp) {
    self.generation = generation
    self.sealed = sealed
    self.expiresAt = expiresAt
  }
}

/// The right to renew one connection.
public struct ConnectionLease: Sendable, Hashable {
  public var connection: ConnectionKey
  /// What is to be replaced.
  public var generation: Int64
  /// Fences late holders: every lease on a row has a higher one than those before it.
  public var epoch: Int64
  /// The refresh before this one has told no outcome: the provider may have answered it.
  public var isInDoubt: Bool

  public init(connection: ConnectionKey, generation: Int64, epoch: Int64, isInDoubt: Bool = false) {
    self.connection = connection
    self.generation = generation
    self.epoch = epoch
    self.isInDoubt = isInDoubt
  }
}

public enum LeaseOutcome: Sendable, Equatable {
  case taken(ConnectionLease)
  /// Another holds it, or a failure has closed it, for this much longer.
  case held(remaining: Duration)
  /// The row has another generation by now.
  case moved
}

public enum CommitOutcome: Sendable, Equatable {
  case stored
  /// A later lease or generation won; the row is unchanged.
  case superseded
}
