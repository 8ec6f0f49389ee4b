import HTTPWire
import OAuthCore

/// `/logout`: ends the browser session. With a pending authorization request, somebody else may sign in to it.
public struct LogoutEndpoint: Endpoint {
  private let gate: PageGate
  private let flow: AuthorizationFlow

  public init(gate: PageGate, flow: AuthorizationFlow) {
    self.gate = gate
    self.flow = flow
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    guard request.method == "POST" else { return gate.refuse(.methodNotAllowed(allow: "POST"), request) }
    return await gate.submit(request, signOut)
  }

  private func signOut(_ browser: Browser, _ form: Form) async throws(PageRefusal) -> HTTPResponse {
    var pending: AuthorizationRequest?
    if let sealed = form["request"] { pending = try flow.open(sealed, browser) }
    let stranger: Browser
    do { stranger = try await gate.sessions.signOut(browser) } catch { throw .unavailable(error) }
    guard let pending else { return .seeOther("/login?signed_out").withCookie(stranger.setCookie) }
    return try await flow.goOn(to: "/login", with: pending, stranger).withCookie(stranger.setCookie)
  }
}
