import Cryptography
import HTTPWire
import OAuthCore

/// A browser as a request shows it.
struct Browser: Sendable {
  /// Without `subject` when nobody is signed in; such a session is stored nowhere.
  let session: BrowserSession
  /// Who is signed in.
  let account: Account?
  /// What the browser's forms must carry.
  let csrf: CSRFToken
  /// To be sent along; nil: the browser has the cookie already.
  let setCookie: String?
}

/// Browser sessions: 12 hours at most, a new id at every sign-in, and nothing stored before one.
///
/// A browser that nobody has signed in at carries a handle that only its tag vouches for. It is enough to bind forms to
/// the browser, so that nobody can be signed in to somebody else's account, and it costs no row.
public struct BrowserSessions: Sendable {
  /// From sign-in, or from the first page shown; using a session does not prolong it.
  public static let lifetime = Duration.seconds(12 * 3600)

  private let store: any SessionStore
  private let accounts: any AccountDirectory
  private let mint: HandleMint
  private let cookie: SessionCookie
  private let clock: any WallClock

  var cookieName: String { cookie.name }

  public init(
    store: any SessionStore, accounts: any AccountDirectory, mint: HandleMint, cookie: SessionCookie,
    clock: any WallClock
  ) {
    self.store = store
    self.accounts = accounts
    self.mint = mint
    self.cookie = cookie
    self.clock = clock
  }

  /// The browser behind a request; a stranger gets a handle of its own.
  func browser(of request: HTTPRequest) async throws(StoreFailure) -> Browser {
    let now = clock.now
    guard let handle = presentedHandle(in: request, at: now) else { return stranger(at: now) }
    guard let (session, account) = try await signedIn(handle.locator, handle.secretHash, at: now) else {
      return Browser(session: unsigned(handle), account: nil, csrf: CSRFToken(of: handle), setCookie: nil)
    }
    return Browser(session: session, account: account, csrf: CSRFToken(of: handle), setCookie: nil)
  }

  /// Who is signed in by a handle of this locator and secret; nil: nobody.
  private func signedIn(
    _ locator: Locator, _ secretHash: Digest256, at now: Timestamp
  ) async throws(StoreFailure) -> (BrowserSession, Account)? {
    guard let session = try await store.session(locator, at: now), session.secretHash == secretHash,
      let subject = session.subject, let account = try await accounts.account(subject: subject), !account.isDisabled
    else { return nil }
    return (session, account)
  }

  /// Starts the session of an account that has just proved itself, and ends the one that the browser had.
  func signIn(_ account: Account, replacing old: Browser) async throws(StoreFailure) -> Browser {
    let now = clock.now
    let handle = mint.make(.session, at: now)
    let session = BrowserSession(
      locator: handle.locator, secretHash: handle.secretHash, subject: account.subject, authenticatedAt: now,
      expiresAt: now + Self.lifetime)
    try await store.begin(session, replacing: old.session.locator)
    return Browser(
      session: session, account: account, csrf: CSRFToken(of: handle), setCookie: cookie.setting(mint.text(of: handle)))
  }

  /// Ends the session and gives the browser a fresh handle, so that the old one binds nothing any more.
  func signOut(_ browser: Browser) async throws(StoreFailure) -> Browser {
    try await store.end(browser.session.locator)
    return stranger(at: clock.now)
  }

  private func stranger(at now: Timestamp) -> Browser {
    let handle = mint.make(.session, at: now)
    return Browser(
      session: unsigned(handle), account: nil, csrf: CSRFToken(of: handle),
      setCookie: cookie.setting(mint.text(of: handle)))
  }

  private func unsigned(_ handle: Handle) -> BrowserSession {
    BrowserSession(
      locator: handle.locator, secretHash: handle.secretHash, subject: nil, authenticatedAt: nil,
      expiresAt: handle.locator.createdAt + Self.lifetime)
  }

  private func presentedHandle(in request: HTTPRequest, at now: Timestamp) -> Handle? {
    cookie.value(in: request.fields).flatMap { handle($0, at: now) }
  }

  private func handle(_ text: String, at now: Timestamp) -> Handle? {
    guard let handle = mint.parse(text, .session) else { return nil }
    // A sign-in makes a new handle, so the handle is never younger than the session.
    return now < handle.locator.createdAt + Self.lifetime ? handle : nil
  }
}

extension BrowserSessions: TokenVerifier {
  /// What a session stands for on routes that take it.
  ///
  /// - Parameter token: what the cookie carries.
  /// - Returns: nil when nobody is signed in by it.
  public func verify(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts? {
    guard let handle = handle(String(decoding: token, as: UTF8.self), at: clock.now),
      let (session, account) = try await signedIn(handle.locator, handle.secretHash, at: clock.now)
    else { return nil }
    return facts(session, account)
  }

  /// - Parameter facts: of a session; those of one that has expired meanwhile hold on.
  public func confirm(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts? {
    try await signedIn(facts.locator, facts.secretHash, at: facts.issuedAt).map { self.facts($0, $1) }
  }

  private func facts(_ session: BrowserSession, _ account: Account) -> TokenFacts {
    TokenFacts(
      authorization: Authorization(
        subject: account.subject, client: Self.client, scope: [], audience: [], authenticatedAt: session.authenticatedAt),
      family: nil, locator: session.locator, issuedAt: session.authenticatedAt ?? session.locator.createdAt,
      expiresAt: session.expiresAt, secretHash: session.secretHash)
  }

  /// Stands where a token would name its client.
  private static let client = ClientID("browser-session")
}
