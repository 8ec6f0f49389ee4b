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
    guard let session = try await store.session(handle.locator, at: now), session.secretHash == handle.secretHash,
      let subject = session.subject, let account = try await accounts.account(subject: subject), !account.isDisabled
    else { return Browser(session: unsigned(handle), account: nil, csrf: CSRFToken(of: handle), setCookie: nil) }
    return Browser(session: session, account: account, csrf: CSRFToken(of: handle), setCookie: nil)
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
    guard let text = cookie.value(in: request.fields), let handle = mint.parse(text, .session) else { return nil }
    // A sign-in makes a new handle, so the handle is never younger than the session.
    return now < handle.locator.createdAt + Self.lifetime ? handle : nil
  }
}
