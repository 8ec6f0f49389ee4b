/// Hears what the broker does, for logs and counters. Called from any thread; never blocks.
public protocol BrokerObserver: Sendable {
  func observe(_ event: BrokerEvent, of connection: ConnectionKey)
}

/// Nothing here is secret or came from a provider verbatim.
public enum BrokerEvent: Sendable, Hashable {
  /// The provider issued a credential.
  case obtained
  /// Another instance's credential was read from the store.
  case adopted(generation: Int64)
  case stored(generation: Int64)
  /// It came too late: another of that generation is current; a user's is kept beside it.
  case superseded(generation: Int64)
  /// The provider gave none; the next try is not before the pause has passed.
  case failed(TokenEndpointFailure, pause: Duration)
  /// Another instance was renewing and did not finish in time.
  case leaseWaitEnded
  /// The stored credential does not open: the key ring has lost its key, or the row was tampered with.
  case unreadable(generation: Int64)
  case storeUnavailable
  /// A user's account was connected, and a user's connection ended.
  case connected(generation: Int64)
  case disconnected
  /// The provider's answer named somebody else, or was made for another flow; nothing was connected.
  case identityRefused(IDTokenFailure)
  /// A request could not be pushed to the provider before the user was sent there.
  case pushRefused
  case needsReauthentication(ReauthenticationReason)
  /// Disconnected here, but the provider did not take the revocation.
  case notRevokedAtProvider
  /// The provider refuses Postern itself: none of its connections is refreshed until it does not.
  case incidentBegan
  case incidentEnded
  /// A credential that the store never took was given up: it expired, or the process shut down.
  case notStored
}
