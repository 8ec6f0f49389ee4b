import Broker
import HTTPWire
import OAuthCore

/// `/connect/{provider}` and `/connect/{provider}/callback`: a signed-in user goes to a provider and comes back.
///
/// Nothing of a request says where the browser goes: out it goes to the configured address, back to the account page.
public struct ConnectEndpoint: Endpoint {
  private let gate: PageGate
  private let connector: Connector

  public init(gate: PageGate, connector: Connector) {
    self.gate = gate
    self.connector = connector
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    // HEAD is not answered as GET: looking must neither begin nor end anything.
    guard request.method == "GET" else { return gate.refuse(.methodNotAllowed(allow: "GET"), request) }
    let segments = request.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2).map(String.init)
    guard let name = segments.first, connector.connectable.contains(ProviderID(name)) else { return unknown(request) }
    let provider = ProviderID(name)
    switch segments.count {
    case 1:
      return await gate.show(request) { (browser) async throws(PageRefusal) -> HTTPResponse in
        try await leave(for: provider, browser, request)
      }
    case 2 where segments[1] == "callback":
      return await gate.show(request) { (browser: Browser, query: Form) async throws(PageRefusal) -> HTTPResponse in
        try await comeBack(from: provider, browser, query, request)
      }
    default: return unknown(request)
    }
  }

  private func leave(
    for provider: ProviderID, _ browser: Browser, _ request: HTTPRequest
  ) async throws(PageRefusal) -> HTTPResponse {
    guard let account = browser.account else { return .seeOther(LoginEndpoint.address(beforeConnecting: provider)) }
    do throws(Connector.Failure) {
      return .seeOther(try await connector.begin(provider, for: account.subject, session: browser.session.locator))
    } catch {
      if case .store(let failure) = error { throw .unavailable(failure) }
      return refuse(error, provider, request)
    }
  }

  private func comeBack(
    from provider: ProviderID, _ browser: Browser, _ query: Form, _ request: HTTPRequest
  ) async throws(PageRefusal) -> HTTPResponse {
    guard let account = browser.account else { return refuse(.noFlow, provider, request) }
    let answer = Connector.Answer(
      state: query["state"], code: query["code"], error: query["error"], issuer: query["iss"])
    do throws(Connector.Failure) {
      try await connector.finish(provider, answer, for: account.subject, session: browser.session.locator)
      return .seeOther("/account?connected")
    } catch {
      if case .store(let failure) = error { throw .unavailable(failure) }
      return refuse(error, provider, request)
    }
  }

  // MARK: Pages

  private func unknown(_ request: HTTPRequest) -> HTTPResponse {
    let page = ErrorPage(
      heading: "There is nothing to connect here", explanation: "No service of this name can be connected.",
      advice: "Open your account page: it lists what you can connect.", requestID: request.requestID)
    return gate.pages.respond(page, status: 404)
  }

  private func refuse(_ failure: Connector.Failure, _ provider: ProviderID, _ request: HTTPRequest) -> HTTPResponse {
    let (status, heading, explanation, advice) =
      switch failure {
      case .denied:
        (403, "\(provider) was not connected", "Access was not allowed there. Nothing was changed here.",
          "If you did not mean to refuse, open your account page and connect it again.")
      case .otherIssuer, .otherIdentity:
        (400, "\(provider) was not connected", "The answer did not come from the service that was asked.",
          "Do not try again from the same link. Open your account page and connect it from there.")
      case .providerFailed, .store, .unknownProvider:
        (502, "\(provider) was not connected", "The service could not complete it.",
          "Wait a little, then open your account page and connect it again.")
      case .noFlow:
        (400, "This connection attempt is over",
          "It was started too long ago, in another browser or before you signed in again, or it has been completed already.",
          "Open your account page to see what is connected, and connect it again if it is missing.")
      }
    let page = ErrorPage(heading: heading, explanation: explanation, advice: advice, requestID: request.requestID)
    return gate.pages.respond(page, status: status)
  }
}
