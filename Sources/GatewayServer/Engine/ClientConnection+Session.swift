import HTTPWire
import OAuthCore
import ReverseProxy

/// Requests without `Authorization` for routes that take browser sessions. One that has the field never gets here: what it
/// presents decides, and a cookie that came along does not make up for it.
extension ClientConnection {
  func admitBrowser(_ route: LoopRoute, _ path: Span<UInt8>, _ bytes: Span<UInt8>) -> Int {
    exchange.additions.variesByCookie = true
    guard let access = engine.sessionAccess,
      case .value(let cookie) = BrowserRequest.cookie(access.cookieName, scanner.head, bytes)
    else { return askToSignIn(route, bytes) }
    // First of all, so that another site's page learns nothing of the session.
    if BrowserRequest.needsProofOfOrigin(scanner.head),
      !BrowserRequest.isProvenOwn(scanner.head, bytes, origin: access.origin)
    {
      return refuse(.crossSiteRequest, bytes)
    }
    let now = engine.wallNow
    let session: VerifiedToken
    if let verified = exchange.token {
      session = verified
    } else {
      let presented = bytes.extracting(cookie.range)
      switch engine.sessions.lookup(presented, at: now, hearsChanges: engine.trustsStored) {
      case .verified(let known): session = known.takeUnretainedValue()
      case .unknown(let digest):
        let inquiry = Inquiry(digest: digest, source: .session)
        guard !engine.sessions.isRefused(inquiry, at: now) else { return askToSignIn(route, bytes) }
        engine.count { $0.tokenMisses += 1 }
        let handle = presented.withUnsafeBytes { Array($0) }
        return park(until: inquiry, for: route, bytes) { () async throws(StoreFailure) in
          try await access.verifier.verify(handle).map { VouchedToken(session: $0) }
        }
      }
      engine.count { $0.tokenHits += 1 }
    }
    switch route.route.access.decide(sessionUntil: session.facts.expiresAt, at: now) {
    case .allow: break
    case .deny(.missingToken): return askToSignIn(route, bytes)
    case .deny(let denial): return deny(denial, route, bytes)
    }
    // A browser is no client of its own: its user stands for it.
    if route.limitsCallers, let rate = route.rate,
      let refusal = overRate(rate, .subject(session.facts.subject.rawValue))
    {
      return refuse(refusal, bytes)
    }
    exchange.take(session)
    return inject(route, for: session, path, bytes)
  }

  /// Sends a person to the sign-in page, from where they come back to this path and query; everybody else is challenged.
  private func askToSignIn(_ route: LoopRoute, _ bytes: Span<UInt8>) -> Int {
    guard let access = engine.sessionAccess, BrowserRequest.isNavigation(scanner.head, bytes) else {
      return deny(.missingToken, route, bytes)
    }
    let path = scanner.head.path.isEmpty ? "/" : bytes.text(scanner.head.path)
    let query = scanner.head.query.map { "?" + bytes.text($0) } ?? ""
    return respond(access.askToSignIn(before: path + query, at: engine.wallNow), bytes)
  }
}

extension SessionAccess {
  /// Source: RFC 9110 §15.4.3.
  func askToSignIn(before target: String, at now: Timestamp) -> HTTPResponse {
    HTTPResponse(
      status: 302, fields: ["Location": signInAddress(before: target, at: now), "Cache-Control": "no-store"])
  }
}
