/// One entry of the change log: what every instance must stop believing.
public enum Change: Sendable, Hashable {
  case accessTokenRevoked(Locator)
  case familyRevoked(Locator)
  case clientChanged(ClientID)
  case accountChanged(Subject)
  case signingKeysChanged
  /// A provider's credential was replaced.
  case credentialChanged(provider: String)
  /// A subject's connection to a provider was made, refreshed or ended.
  case connectionChanged(provider: String, Subject)
}

/// Hears of changes in the order of the log. Implementations post to their loops; they never block.
public protocol ChangeObserver: Sendable {
  func apply(_ changes: [Change])
  /// The feed cannot tell what was missed: everything cached is to be forgotten.
  func forgetEverything()
}
