import HTTPWire
import OAuthCore

/// Carries an authorization request through the pages: from the client's link over sign-in and consent to the answer.
///
/// The request travels sealed for the browser session, so the pages keep nothing, and two tabs do not disturb each other.
public struct AuthorizationFlow: Sendable {
  /// Longer addresses may not be accepted: the engine reads request lines of 8 KiB. Bytes.
  static let addressByteCountMax = 7 * 1024

  let endpoint: AuthorizationEndpoint
  private let pages: PageResponder
  private let clients: any ClientDirectory
  private let scopes: ScopeDescriptions

  public init(
    endpoint: AuthorizationEndpoint, pages: PageResponder, clients: any ClientDirectory, scopes: ScopeDescriptions
  ) {
    self.endpoint = endpoint
    self.pages = pages
    self.clients = clients
    self.scopes = scopes
  }

  // MARK: Steps

  /// What the browser sees next.
  ///
  /// - Parameter requestID: for error pages.
  func show(_ step: AuthorizationStep, _ browser: Browser, requestID: String?) async throws(PageRefusal) -> HTTPResponse {
    switch step {
    case .redirect(let location): return .seeOther(location)
    case .errorPage(let error): return errorPage(error, requestID: requestID)
    case .needsSignIn(let request):
      let isFresh = browser.account == nil || request.prompts.contains(.selectAccount)
      return try await signInPage(for: request, browser, username: isFresh ? "" : browser.account?.username ?? "") { page in
        page.isReauthentication = !isFresh
      }
    case .needsConsent(let request, let missing):
      return try await consentPage(for: request, missing: missing, browser)
    }
  }

  /// Goes on with a request that waited for this browser.
  ///
  /// - Throws: `requestExpired` when it is too old, or another browser's.
  func resume(_ sealed: String, _ browser: Browser, requestID: String?) async throws(PageRefusal) -> HTTPResponse {
    _ = try open(sealed, browser)
    return try await show(await endpoint.resume(sealed, session: browser.session), browser, requestID: requestID)
  }

  /// Sends the browser on to a page that resumes the request; after a form, so that reloading does not submit it again.
  func goOn(to path: String, with request: AuthorizationRequest, _ browser: Browser) async throws(PageRefusal) -> HTTPResponse {
    let sealed = endpoint.seal(request, session: browser.session)
    let address = "\(path)?request=\(sealed)"
    guard address.utf8.count > Self.addressByteCountMax else { return .seeOther(address) }
    return try await resume(sealed, browser, requestID: nil)
  }

  /// - Throws: `requestExpired` when it is too old, or another browser's.
  func open(_ sealed: String, _ browser: Browser) throws(PageRefusal) -> AuthorizationRequest {
    guard let request = endpoint.open(sealed, session: browser.session) else { throw .requestExpired }
    return request
  }

  // MARK: Pages

  /// - Parameter change: what is special about this showing.
  func signInPage(
    for request: AuthorizationRequest, _ browser: Browser, username: String, status: Int = 200, retryAfter: Int? = nil,
    _ change: (inout SignInPage) -> Void
  ) async throws(PageRefusal) -> HTTPResponse {
    var page = SignInPage(
      clientName: try await clientName(request), username: username,
      request: endpoint.seal(request, session: browser.session), csrf: browser.csrf.text)
    change(&page)
    return pages.respond(
      page, status: status, afterSubmit: RedirectTarget(request.redirectURI).sources, retryAfter: retryAfter)
  }

  private func consentPage(
    for request: AuthorizationRequest, missing: ScopeSet, _ browser: Browser
  ) async throws(PageRefusal) -> HTTPResponse {
    let target = RedirectTarget(request.redirectURI)
    let allowedBefore = ScopeSet(request.scope.scopes.filter { !missing.contains($0) })
    let page = ConsentPage(
      clientName: try await clientName(request), asked: scopes.lines(missing), allowedBefore: scopes.lines(allowedBefore),
      destination: target.words, username: browser.account?.username ?? "",
      request: endpoint.seal(request, session: browser.session), csrf: browser.csrf.text)
    return pages.respond(page, afterSubmit: target.sources)
  }

  private func errorPage(_ error: AuthorizationErrorPage, requestID: String?) -> HTTPResponse {
    guard error.status != 503 else {
      return pages.respond(
        PageRefusal.unavailable(.unavailable).page(requestID: requestID), status: 503, retryAfter: error.error.retryAfter ?? 1)
    }
    let page = ErrorPage(
      heading: "This link does not work",
      explanation: "An app sent you here with a request that cannot be answered: \(error.error.description).",
      advice: "Go back to the app and start again. If it happens again, tell whoever runs the app.", requestID: requestID)
    return pages.respond(page, status: error.status)
  }

  private func clientName(_ request: AuthorizationRequest) async throws(PageRefusal) -> String {
    do { return try await clients.client(request.client)?.name ?? request.client.rawValue } catch { throw .unavailable(error) }
  }
}
