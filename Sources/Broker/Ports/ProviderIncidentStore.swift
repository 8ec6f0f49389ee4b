import OAuthCore

/// Where instances tell each other, and operators, that a provider refuses Postern itself.
public protocol ProviderIncidentStore: Sendable {
  /// Begins an incident, or prolongs one.
  func record(_ incident: ProviderIncident) async throws(StoreFailure)
  /// Ends an incident as it was read; one that was prolonged since goes on.
  func end(_ incident: ProviderIncident) async throws(StoreFailure)
  func incidents() async throws(StoreFailure) -> [ProviderIncident]
}

/// A provider refuses Postern itself, so none of its connections can be refreshed and none of them is to blame.
public struct ProviderIncident: Sendable, Equatable {
  public var provider: ProviderID
  public var refusal: ProviderRefusal
  /// When it began.
  public var since: Timestamp
  /// Nobody asks the provider before.
  public var closedUntil: Timestamp

  public init(provider: ProviderID, refusal: ProviderRefusal, since: Timestamp, closedUntil: Timestamp) {
    self.provider = provider
    self.refusal = refusal
    self.since = since
    self.closedUntil = closedUntil
  }
}
