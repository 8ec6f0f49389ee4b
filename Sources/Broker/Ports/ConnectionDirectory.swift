import OAuthCore

/// The connections of all users, as an operator sees them. Nothing in it is secret.
public protocol ConnectionDirectory: Sendable {
  /// In the order of their ids.
  ///
  /// - Parameters:
  ///   - provider: nil: of all.
  ///   - subject: nil: of all.
  ///   - id: the last of the page before; nil: from the first.
  func connections(
    of provider: ProviderID?, subject: Subject?, after id: Locator?, count: Int
  ) async throws(StoreFailure) -> [ConnectionDetails]

  /// - Parameter id: as a person wrote it; nil when there is no such connection.
  func connection(id: String) async throws(StoreFailure) -> ConnectionDetails?

  /// The last attempts to refresh it, the newest first.
  func attempts(on id: Locator) async throws(StoreFailure) -> [RecordedAttempt]
}

/// A user's connection without its credential.
public struct ConnectionDetails: Sendable, Equatable {
  public var id: Locator
  public var key: ConnectionKey
  public var state: ConnectionState
  public var generation: Int64
  public var connectedAt: Timestamp
  public var usedAt: Timestamp?
  /// When the access token ends; nil once revoked.
  public var expiresAt: Timestamp?
  /// When it is refreshed though nobody asks; nil: it is not.
  public var renewAt: Timestamp?
  /// Granted, in the provider's words; empty: not known.
  public var scopes: [String]

  public init(
    id: Locator, key: ConnectionKey, state: ConnectionState, generation: Int64, connectedAt: Timestamp, usedAt: Timestamp?,
    expiresAt: Timestamp?, renewAt: Timestamp?, scopes: [String] = []
  ) {
    self.id = id
    self.key = key
    self.state = state
    self.generation = generation
    self.connectedAt = connectedAt
    self.usedAt = usedAt
    self.expiresAt = expiresAt
    self.renewAt = renewAt
    self.scopes = scopes
  }
}

/// An attempt to refresh, as it is on record.
public struct RecordedAttempt: Sendable, Equatable {
  /// What it was to replace.
  public var generation: Int64
  public var startedAt: Timestamp
  /// nil: none is known.
  public var outcome: String?

  public init(generation: Int64, startedAt: Timestamp, outcome: String?) {
    self.generation = generation
    self.startedAt = startedAt
    self.outcome = outcome
  }
}
