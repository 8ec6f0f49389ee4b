import HTTPWire
import OAuthCore

/// `/account`: the resource owner sees what they allowed and takes it back.
public struct AccountEndpoint: Endpoint {
  private let gate: PageGate
  private let clients: any ClientDirectory
  private let consents: any ConsentStore
  private let tokens: any TokenStore
  private let scopes: ScopeDescriptions
  private let clock: any WallClock

  public init(
    gate: PageGate, clients: any ClientDirectory, consents: any ConsentStore, tokens: any TokenStore,
    scopes: ScopeDescriptions, clock: any WallClock
  ) {
    self.gate = gate
    self.clients = clients
    self.consents = consents
    self.tokens = tokens
    self.scopes = scopes
    self.clock = clock
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    switch request.method {
    case "GET", "HEAD": await gate.show(request, show)
    case "POST": await gate.submit(request, removeAccess)
    default: gate.refuse(.methodNotAllowed(allow: "GET, HEAD, POST"), request)
    }
  }

  private func show(_ browser: Browser, _ query: Form) async throws(PageRefusal) -> HTTPResponse {
    guard let account = browser.account else { return .seeOther("/login") }
    do throws(StoreFailure) {
      var apps: [AccountPage.App] = []
      for consent in try await consents.consents(of: account.subject) {
        // A client that is gone from the directory can still be taken its access.
        let name = try await clients.client(consent.client)?.name ?? consent.client.rawValue
        apps.append(
          AccountPage.App(
            clientID: consent.client.rawValue, name: name, scopes: scopes.lines(consent.scope),
            since: CalendarDay(consent.grantedAt)))
      }
      return gate.pages.respond(
        AccountPage(
          username: account.username, apps: apps, notice: query.contains("removed") ? "Access was removed." : nil,
          csrf: browser.csrf.text))
    } catch {
      throw .unavailable(error)
    }
  }

  private func removeAccess(_ browser: Browser, _ form: Form) async throws(PageRefusal) -> HTTPResponse {
    guard let account = browser.account else { return .seeOther("/login") }
    guard let clientID = form["client_id"] else { throw .malformed }
    let client = ClientID(clientID)
    do throws(StoreFailure) {
      // Tokens first: while they cannot be ended, the app stays on the page, to be tried again.
      try await tokens.revokeFamilies(of: account.subject, client: client, at: clock.now)
      try await consents.withdraw(from: client, by: account.subject, at: clock.now)
      // What the client got between the two.
      try await tokens.revokeFamilies(of: account.subject, client: client, at: clock.now)
    } catch {
      throw .unavailable(error)
    }
    return .seeOther("/account?removed")
  }
}
