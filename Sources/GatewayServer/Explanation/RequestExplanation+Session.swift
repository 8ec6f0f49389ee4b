import HTTPWire
import OAuthCore
import ReverseProxy

/// How a request without `Authorization` fares on a route that takes browser sessions.
extension RequestExplanation {
  /// - Returns: whether the request may go on.
  mutating func admitBrowser(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ route: Route, _ rule: SessionRule, _ pages: Origin?,
    _ finding: TokenFinding, _ now: Timestamp
  ) throws(Pause) -> Bool {
    guard let pages,
      case .value(let cookie) = BrowserRequest.cookie(Array(SessionCookie(isSecure: pages.isSecure).name.utf8), head, bytes)
    else {
      askToSignIn(head, bytes, route, "no cookie of one, and no token")
      return false
    }
    if BrowserRequest.needsProofOfOrigin(head) {
      guard BrowserRequest.isProvenOwn(head, bytes, origin: Array(pages.description.utf8)) else {
        refuse("origin", .crossSiteRequest)
        return false
      }
      note("origin", "the browser vouches for a page of this site")
    }
    guard case .found(let facts) = finding else {
      throw Pause(
        token: bytes.extracting(cookie.range).withUnsafeBytes { Array($0) }, access: route.access, isSession: true)
    }
    guard let facts else {
      askToSignIn(head, bytes, route, "ended, expired or never begun")
      return false
    }
    note("session", "of subject \(facts.subject)")
    switch route.access.decide(sessionUntil: facts.expiresAt, at: now) {
    case .deny(.missingToken):
      askToSignIn(head, bytes, route, "expired")
      return false
    case .deny(let denial):
      refuse("policy", .accessDenied(denial, route.access))
      return false
    case .allow:
      note("scopes", rule.scopes.isEmpty ? "none are needed" : "the session has \(rule.scopes)")
      note("policy", "allowed")
      return true
    }
  }

  private mutating func askToSignIn(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ route: Route, _ reason: String
  ) {
    note("session", reason)
    guard BrowserRequest.isNavigation(head, bytes) else {
      return refuse("navigation", .accessDenied(.missingToken, route.access))
    }
    note("navigation", "a person waits for a page")
    outcome = .answered(status: 302, sentence: "The browser is sent to the sign-in page, and comes back to this path.")
  }
}
