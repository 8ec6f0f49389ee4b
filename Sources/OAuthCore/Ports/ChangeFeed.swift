import Cryptography

/// One entry of the change log: what every instance must stop believing.
public enum Change: Sendable, Hashable {
  case accessTokenRevoked(Locator)
  case familyRevoked(Locator)
  /// A browser was signed out.
  case sessionEnded(Locator)
  case clientChanged(ClientID)
  case accountChanged(Subject)
  case signingKeysChanged
  /// A provider's credential was replaced.
  case credentialChanged(provider: String)
  /// A subject's connection to a provider was made, refreshed or ended.
  case connectionChanged(provider: String, Subject)
  /// A foreign issuer publishes a key no longer; `key` is its thumbprint (RFC 7638). Each instance finds out by itself.
  case foreignKeyWithdrawn(issuer: String, key: Digest256)
}

/// Hears of changes in the order of the log. Implementations post to their loops; they never block.
public protocol ChangeObserver: Sendable {
  func apply(_ changes: [Change])
  /// The feed cannot tell what was missed: everything cached is to be forgotten.
  func forgetEverything()
}

/// Tells whether revocations still reach this process in time. Read on every loop, so it must be cheap and not block.
public protocol Freshness: Sendable {
  /// False when a remembered answer could be older than `max_staleness`.
  var isFresh: Bool { get }
}

/// For what hears of every change at once, such as a single process in a test.
public struct AlwaysFresh: Freshness {
  public init() {}
  public var isFresh: Bool { true }
}
