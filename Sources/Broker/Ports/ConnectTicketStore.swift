import Cryptography
import OAuthCore

/// Keeps connect tickets, of which it knows a digest only.
public protocol ConnectTicketStore: Sendable {
  /// Records a ticket, and forgets some of those that have expired by `now`.
  func issue(_ ticket: ConnectTicket, at now: Timestamp) async throws(StoreFailure)

  /// Looks at a ticket, which stays good. nil: there is none, or it has expired.
  func ticket(_ handle: Handle, at now: Timestamp) async throws(StoreFailure) -> ConnectTicket?

  /// Takes a ticket out: of any number of takers one gets it, and it is consumed by the statement that finds it.
  func take(_ handle: Handle, at now: Timestamp) async throws(StoreFailure) -> ConnectTicket?
}

/// Leave for one browser to connect an account of `subject`, whoever is signed in there.
public struct ConnectTicket: Sendable, Equatable {
  public var locator: Locator
  /// SHA-256 of the secret that its holder has.
  public var secretHash: Digest256
  /// Who asked for it.
  public var client: ClientID
  public var subject: Subject
  public var provider: ProviderID
  /// Of the provider's configured ones; empty: all of them.
  public var scopes: [String]
  /// Where the browser goes afterwards, out of the configured list; nil: nowhere.
  public var returnTo: String?
  public var expiresAt: Timestamp

  public init(
    locator: Locator, secretHash: Digest256, client: ClientID, subject: Subject, provider: ProviderID, scopes: [String],
    returnTo: String?, expiresAt: Timestamp
  ) {
    self.locator = locator
    self.secretHash = secretHash
    self.client = client
    self.subject = subject
    self.provider = provider
    self.scopes = scopes
    self.returnTo = returnTo
    self.expiresAt = expiresAt
  }
}
