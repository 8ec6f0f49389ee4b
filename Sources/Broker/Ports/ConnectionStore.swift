import OAuthCore

/// Keeps the credentials of connections, sealed. It never sees a token.
///
/// One row per connection holds the current generation; a lease on the row lets one instance at a time call the
/// provider, without a transaction staying open meanwhile. Lease times are measured on the store's own clock, so that
/// instances whose clocks differ agree about them.
///
/// Whatever changes a connection is told to every instance (`Change.connectionChanged`, `Change.credentialChanged`).
public protocol ConnectionStore: Sendable {
  /// nil: never obtained, or never connected.
  func connection(_ key: ConnectionKey) async throws(StoreFailure) -> StoredConnection?

  /// What is kept of a subject's connection beside the current credential, newest first.
  func keptCredentials(of key: ConnectionKey) async throws(StoreFailure) -> [KeptCredential]

  /// Takes the right to renew and records the attempt, before the provider hears of it: where the row is still at
  /// `generation`, no lease is live, and a subject's connection is active. One statement. The row of what is repeatable is
  /// made when there is none.
  ///
  /// The lease tells whether an earlier attempt on the same generation may have been answered without our knowing.
  ///
  /// - Parameters:
  ///   - generation: what the caller has seen; 0 for a connection without a credential.
  ///   - duration: longer than the deadline of the provider call that follows.
  func takeLease(
    on key: ConnectionKey, generation: Int64, for duration: Duration
  ) async throws(StoreFailure) -> LeaseOutcome

  /// Compare and set: stores `credential` as the next generation and ends the lease. Durable before it returns.
  ///
  /// A service's goes by generation and epoch: the lease may have run out, but a later one fences it. A subject's goes by
  /// the generation alone, and ends a `needsReauthentication` of its generation: a refresh token that a provider has
  /// rotated is the only one left, so it is stored even when the lease has passed to another instance. What is superseded
  /// all the same is kept beside the credential that won, unless the user has ended the connection.
  ///
  /// Committing the same lease again after an answer was lost is safe: it reports `superseded` and changes nothing.
  func commit(_ credential: StoredCredential, under lease: ConnectionLease) async throws(StoreFailure) -> CommitOutcome

  /// Ends a lease without a new credential. Nothing happens when its epoch has passed.
  ///
  /// - Parameter pause: how long no instance may take the lease again: the back-off after a failure, shared.
  func release(_ lease: ConnectionLease, as outcome: RefreshAttemptOutcome, pause: Duration) async throws(StoreFailure)

  /// Marks a subject's connection, where it is still at the lease's generation and epoch.
  func requireReauthentication(_ reason: ReauthenticationReason, under lease: ConnectionLease) async throws(StoreFailure)
}

/// The identity of one connection.
public struct ConnectionKey: Sendable, Hashable {
  public enum Owner: Sendable, Hashable {
    /// Postern's own credential at the provider, shared by all callers.
    case service
    /// The credential that this subject connected.
    case subject(Subject)
    /// The credential that the provider gives for Postern's word about this subject.
    case exchanged(for: Subject)
  }

  public var provider: ProviderID
  public var owner: Owner

  /// Whether another can be obtained at any time, with nothing but Postern's own word.
  public var isRepeatable: Bool { if case .subject = owner { false } else { true } }

  public init(provider: ProviderID, owner: Owner) {
    self.provider = provider
    self.owner = owner
  }
}

/// A connection with its sealed credential.
public struct StoredConnection: Sendable, Equatable {
  public var state: ConnectionState
  /// nil once revoked.
  public var credential: StoredCredential?

  public init(state: ConnectionState, credential: StoredCredential?) {
    self.state = state
    self.credential = credential
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
  /// When it is to be renewed though nobody asks; nil: never.
  public var renewAt: Timestamp?
  /// Granted with it, in the provider's words, for people to read; nil: not known, or as before.
  public var scopes: [String]?

  public init(generation: Int64, sealed: [UInt8], expiresAt: Timestamp, renewAt: Timestamp? = nil) {
    self.generation = generation
    self.sealed = sealed
    self.expiresAt = expiresAt
    self.renewAt = renewAt
  }
}

/// A credential beside the current one: the one before it, or one that came too late.
public struct KeptCredential: Sendable, Equatable {
  public var credential: StoredCredential
  /// Its refresh token was presented for its successor.
  public var wasPresented: Bool

  public init(credential: StoredCredential, wasPresented: Bool) {
    self.credential = credential
    self.wasPresented = wasPresented
  }
}

/// The right to renew one connection.
public struct ConnectionLease: Sendable, Hashable {
  public var connection: ConnectionKey
  /// What is to be replaced.
  public var generation: Int64
  /// Fences late holders: every lease on a row has a higher one than those before it.
  public var epoch: Int64
  /// An attempt before this one, on the same generation, may have been answered without our knowing.
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
  /// A later lease or generation won; the current credential is unchanged.
  case superseded
}
