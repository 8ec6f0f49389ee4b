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

  public init(
    stateDigest: Digest256, provider: ProviderID, subject: Subject, session: Locator, sealedSecrets: [UInt8],
    expiresAt: Timestamp
  ) {
    self.stateDigest = stateDigest
    self.provider = provider
    self.subject = subject
    self.session = session
    self.sealedSecrets = sealedSecrets
    self.expiresAt = expiresAt
  }
}

/// Keeps flows until they come back.
public protocol ConnectFlowStore: Sendable {
  /// Records a flow, and forgets some of those that have expired by `now`.
  func begin(_ flow: ConnectFlow, at now: Timestamp) async throws(StoreFailure)

  /// Takes a flow out: of any number of takers one gets it, and it is consumed by the statement that finds it. One that
  /// differs in provider, subject or session stays where it is.
  ///
  /// - Returns: the sealed secrets; nil when there is no such flow, or it has expired.
  func take(
    _ stateDigest: Digest256, provider: ProviderID, subject: Subject, session: Locator, at now: Timestamp
  ) async throws(StoreFailure) -> [UInt8]?
}
