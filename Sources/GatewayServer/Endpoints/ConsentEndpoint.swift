import HTTPWire
import OAuthCore

/// `/consent`: shows what a client asks for, and takes the resource owner's decision. Source: RFC 6749 §4.1.
public struct ConsentEndpoint: Endpoint {
  private enum Decision: String { case approve, deny }

  private let gate: PageGate
  private let flow: AuthorizationFlow
  private let consents: any ConsentStore
  private let clock: any WallClock

  public init(gate: PageGate, flow: AuthorizationFlow, consents: any ConsentStore, clock: any WallClock) {
    self.gate = gate
    self.flow = flow
    self.consents = consents
    self.clock = clock
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    switch request.method {
    case "GET", "HEAD":
      await gate.show(request) { (browser: Browser, query: Form) async throws(PageRefusal) -> HTTPResponse in
        guard let sealed = query["request"] else { throw .requestExpired }
        return try await flow.resume(sealed, browser, requestID: request.requestID)
      }
    case "POST":
      await gate.submit(request) { (browser, form) async throws(PageRefusal) -> HTTPResponse in
        try await decide(browser, form, requestID: request.requestID)
      }
    default: gate.refuse(.methodNotAllowed(allow: "GET, HEAD, POST"), request)
    }
  }

  private func decide(_ browser: Browser, _ form: Form, requestID: String?) async throws(PageRefusal) -> HTTPResponse {
    guard let sealed = form["request"] else { throw .requestExpired }
    let pending = try flow.open(sealed, browser)
    guard let account = browser.account else { return try await flow.goOn(to: "/login", with: pending, browser) }
    switch form["decision"].flatMap(Decision.init) {
    case nil: throw .malformed
    case .deny: return try await flow.show(flow.endpoint.deny(pending), browser, requestID: requestID)
    case .approve:
      let step: AuthorizationStep
      do {
        step = try await flow.endpoint.approve(pending, session: browser.session) { () async throws(StoreFailure) in
          try await consents.allow(pending.scope, to: pending.client, by: account.subject, at: clock.now)
        }
      } catch { throw .unavailable(error) }
      return try await flow.show(step, browser, requestID: requestID)
    }
  }
}
