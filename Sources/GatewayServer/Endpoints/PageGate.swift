import HTTPWire
import OAuthCore
import ReverseProxy

/// What every page endpoint goes through before its own work: method, form, origin, session, CSRF token, in this order.
public struct PageGate: Sendable {
  /// Larger forms are refused undecoded. Bytes; a sealed authorization request takes most of it.
  public static let formByteCountMax = 32 * 1024

  let sessions: BrowserSessions
  let pages: PageResponder
  /// CSP sources for a form after which the browser goes on to a provider: `https`, and `http` where Postern itself has
  /// it. Chromium holds every redirect after a form against its `form-action`.
  let providerSources: String
  private let originCheck: OriginCheck

  /// - Parameter origin: where the pages live.
  public init(origin: Origin, sessions: BrowserSessions, pages: PageResponder) {
    self.sessions = sessions
    self.pages = pages
    originCheck = OriginCheck(origin)
    providerSources = RedirectTarget(origin.description).sources
  }

  /// Shows a page.
  ///
  /// - Parameter work: gets the browser; its response is completed with the browser's cookie.
  func show(
    _ request: HTTPRequest, _ work: (Browser) async throws(PageRefusal) -> HTTPResponse
  ) async -> HTTPResponse {
    await answering(request) { () async throws(PageRefusal) -> HTTPResponse in
      let browser = try await self.browser(of: request)
      return try await work(browser).withCookie(browser.setCookie)
    }
  }

  /// Shows a page that depends on its query.
  func show(
    _ request: HTTPRequest, _ work: (Browser, Form) async throws(PageRefusal) -> HTTPResponse
  ) async -> HTTPResponse {
    await show(request) { (browser) async throws(PageRefusal) -> HTTPResponse in
      try await work(browser, try PageGate.form(Array((request.query ?? "").utf8)))
    }
  }

  /// Does what a form asks for, once it is certain that the form is ours and this browser's.
  func submit(
    _ request: HTTPRequest, _ work: (Browser, Form) async throws(PageRefusal) -> HTTPResponse
  ) async -> HTTPResponse {
    await answering(request) { () async throws(PageRefusal) -> HTTPResponse in
      try PageGate.requireForm(request)
      let form = try PageGate.form(request.body)
      guard self.originCheck.allows(request) else { throw .notFromThisSession }
      let browser = try await self.browser(of: request)
      // A stranger's handle is a moment old: no form can have been made for it.
      guard browser.setCookie == nil, browser.csrf.matches(form["csrf"]) else { throw .notFromThisSession }
      return try await work(browser, form)
    }
  }

  func refuse(_ refusal: PageRefusal, _ request: HTTPRequest) -> HTTPResponse {
    var response = pages.respond(
      refusal.page(requestID: request.requestID), status: refusal.status, retryAfter: refusal.retryAfter)
    if case .methodNotAllowed(let allow) = refusal { response.fields.append("Allow", allow) }
    return response
  }

  /// Runs the work; what it refuses becomes a page.
  func answering(
    _ request: HTTPRequest, _ work: () async throws(PageRefusal) -> HTTPResponse
  ) async -> HTTPResponse {
    do { return try await work() } catch { return refuse(error, request) }
  }

  private func browser(of request: HTTPRequest) async throws(PageRefusal) -> Browser {
    do { return try await sessions.browser(of: request) } catch { throw .unavailable(error) }
  }

  /// Source: RFC 9110 §8.3.
  static func requireForm(_ request: HTTPRequest) throws(PageRefusal) {
    let types = request.fields.all("Content-Type")
    let essence = types.first?.prefix { $0 != ";" && $0 != " " && $0 != "\t" }.lowercased()
    guard types.count == 1, essence == "application/x-www-form-urlencoded" else { throw .malformed }
    guard request.body.count <= formByteCountMax else { throw .tooLarge }
  }

  private static func form(_ bytes: [UInt8]) throws(PageRefusal) -> Form {
    let form: Form
    do { form = try FormDecoder.decode(bytes) } catch { throw .malformed }
    guard form.repeated(except: { _ in false }) == nil else { throw .malformed }
    return form
  }
}

extension HTTPRequest {
  /// The name of this request in the log: the engine sets it, in place of what the caller may have sent.
  var requestID: String? { fields["X-Request-Id"] }

  /// Whether it only asks for something to be shown.
  public var isGetOrHead: Bool { method == "GET" || method == "HEAD" }
}
