import OAuthCore

/// The connections of users in the order in which they are due for renewal, shared by all instances.
///
/// A connection enters it, or moves in it, whenever its credential is committed or established with a `renewAt`, and
/// leaves it when its user has to act.
public protocol RenewalQueue: Sendable {
  /// Takes up connections that are due, the most overdue first; each is given to one instance, and to nobody else for
  /// `duration`.
  ///
  /// - Parameter counts: how many of each provider at most.
  func claim(
    _ counts: [ProviderID: Int], at now: Timestamp, for duration: Duration
  ) async throws(StoreFailure) -> [DueRenewal]

  /// Not due before `end`.
  func postpone(_ key: ConnectionKey, until end: Timestamp) async throws(StoreFailure)

  /// Not due until its user connects again.
  func drop(_ key: ConnectionKey) async throws(StoreFailure)

  /// Notes that connections were used.
  func recordUse(of keys: [ConnectionKey], at now: Timestamp) async throws(StoreFailure)
}

/// A connection that is due.
public struct DueRenewal: Sendable, Equatable {
  public var key: ConnectionKey
  public var generation: Int64
  /// By a route or a command, to within minutes; at least since it was connected.
  public var usedAt: Timestamp
  public var renewedAt: Timestamp

  public init(key: ConnectionKey, generation: Int64, usedAt: Timestamp, renewedAt: Timestamp) {
    self.key = key
    self.generation = generation
    self.usedAt = usedAt
    self.renewedAt = renewedAt
  }
}
