import Cryptography
import OAuthCore

/// Lets an application's backend send a browser to connect an account, without signing anybody in at Postern.
///
/// The ticket goes by way of the browser, so it is single-use, short-lived and good for one subject, provider and way back.
/// It is not the proof that the right person follows it: that person confirms on a page who asks for what and for whom.
public struct ConnectTickets: Sendable {
  /// From the backend to the browser, with a person who is in no hurry.
  public static let lifetime = Duration.seconds(10 * 60)
  /// Bytes; a foreign subject is an issuer and a name.
  public static let subjectByteCountMax = 512

  private let connector: Connector
  private let store: any ConnectTicketStore
  private let mint: HandleMint
  /// Where browsers may be sent afterwards, compared byte for byte.
  private let returnURIs: Set<String>
  private let clock: any WallClock

  public init(
    connector: Connector, store: any ConnectTicketStore, mint: HandleMint, returnURIs: [String], clock: any WallClock
  ) {
    self.connector = connector
    self.store = store
    self.mint = mint
    self.returnURIs = Set(returnURIs)
    self.clock = clock
  }

  public enum Refusal: Error, Sendable, Equatable {
    case unknownProvider
    case malformedSubject
    /// One that the provider's configuration does not have.
    case unknownScope(String)
    /// Not in the list, byte for byte.
    case unknownReturnURI
    case store(StoreFailure)
  }

  public struct Issued: Sendable {
    public let text: String
    /// Where the browser is to be sent.
    public let connectURL: String
    public let expiresAt: Timestamp
  }

  /// - Parameters:
  ///   - scopes: empty: all that the provider is configured with.
  ///   - returnTo: nil: Postern says that it is done.
  public func issue(
    for subject: Subject, provider: ProviderID, scopes: [String], returnTo: String?, by client: ClientID
  ) async throws(Refusal) -> Issued {
    guard let configured = connector.providers[provider] else { throw .unknownProvider }
    let text = subject.rawValue
    guard !text.isEmpty, text.utf8.count <= Self.subjectByteCountMax,
      text.unicodeScalars.allSatisfy({ $0.value > 0x1f && $0.value != 0x7f })
    else { throw .malformedSubject }
    if let unknown = scopes.first(where: { !configured.scopes.contains($0) }) { throw .unknownScope(unknown) }
    if let returnTo, !returnURIs.contains(where: { $0.utf8.elementsEqual(returnTo.utf8) }) { throw .unknownReturnURI }
    let now = clock.now
    let handle = mint.make(.connectTicket, at: now)
    let ticket = ConnectTicket(
      locator: handle.locator, secretHash: handle.secretHash, client: client, subject: subject, provider: provider,
      scopes: scopes, returnTo: returnTo, expiresAt: now + Self.lifetime)
    do { try await store.issue(ticket, at: now) } catch { throw .store(error) }
    let handleText = mint.text(of: handle)
    return Issued(
      text: handleText, connectURL: "\(connector.issuer)/connect/\(provider)?ticket=\(handleText)",
      expiresAt: ticket.expiresAt)
  }

  /// Looks at a ticket, which stays good: whoever shows a page or follows a link ahead of its user uses nothing up.
  ///
  /// - Returns: nil unless it is a live one for this provider.
  public func ticket(_ text: String, for provider: ProviderID) async throws(StoreFailure) -> ConnectTicket? {
    guard let handle = mint.parse(text, .connectTicket) else { return nil }
    let ticket = try await store.ticket(handle, at: clock.now)
    return ticket?.provider == provider ? ticket : nil
  }

  /// Uses a ticket up and begins its flow in a browser session.
  ///
  /// - Throws: `noFlow` when it was used, has expired, or never was.
  /// - Returns: the provider's address for the browser.
  public func follow(
    _ text: String, to provider: ProviderID, session: Locator
  ) async throws(Connector.Failure) -> String {
    guard let handle = mint.parse(text, .connectTicket) else { throw .noFlow }
    let ticket: ConnectTicket?
    do { ticket = try await store.take(handle, at: clock.now) } catch { throw .store(error) }
    guard let ticket, ticket.provider == provider else { throw .noFlow }
    return try await connector.begin(
      provider, for: ticket.subject, session: session,
      ticketed: Connector.Errand(scopes: ticket.scopes, returnTo: ticket.returnTo))
  }
}
