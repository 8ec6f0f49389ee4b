import Cryptography
import OAuthCore

/// A user on the way to a provider and back.
public struct ConnectFlow: Sendable, Equatable {
  /// SHA-256 of `state`, which itself is known to the browser only.
  public var stateDigest: Digest256
  public var provider: ProviderID
  public var subject: Subject
  /// The browser session that has begun it.
  public var session: Locator
  /// What the flow needs when it comes back, such as the PKCE verifier, sealed.
  public var sealedSecrets: [UInt8]
  public var expiresAt: Timestamp
  /// Begun by a ticket: `subject` need not be signed in.
  public var isTicketed: Bool

  public init(
    stateDigest: Digest256, provider: ProviderID, subject: Subject, session: Locator, sealedSecrets: [UInt8],
    expiresAt: Timestamp, isTicketed: Bool = false
  ) {
    self.stateDigest = stateDigest
    self.provider = provider
    self.subject = subject
    self.session = session
    self.sealedSecrets = sealedSecrets
    self.expiresAt = expiresAt
    self.isTicketed = isTicketed
  }
}

/// Keeps flows until they come back.
public protocol ConnectFlowStore: Sendable {
  /// Records a flow, and forgets some of those that have expired by `now`.
  func begin(_ flow: ConnectFlow, at now: Timestamp) async throws(StoreFailure)

  /// Takes a flow out: of any number of takers one gets it, and it is consumed by the statement that finds it. One that
  /// differs in provider or session, or in subject unless a ticket began it, stays where it is.
  ///
  /// - Parameter subject: who is signed in; nil: nobody.
  /// - Returns: nil when there is no such flow, or it has expired.
  func take(
    _ stateDigest: Digest256, provider: ProviderID, subject: Subject?, session: Locator, at now: Timestamp
  ) async throws(StoreFailure) -> TakenFlow?
}

/// A flow that has come back.
public struct TakenFlow: Sendable, Equatable {
  /// Whose account is connected.
  public var subject: Subject
  public var sealedSecrets: [UInt8]

  public init(subject: Subject, sealedSecrets: [UInt8]) {
    self.subject = subject
    self.sealedSecrets = sealedSecrets
  }
}
