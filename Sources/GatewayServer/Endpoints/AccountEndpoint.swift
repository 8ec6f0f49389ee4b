import Broker
import HTTPWire
import OAuthCore

/// `/account`: the resource owner sees what they allowed and takes it back.
public struct AccountEndpoint: Endpoint {
  private let gate: PageGate
  private let clients: any ClientDirectory
  private let consents: any ConsentStore
  private let tokens: any TokenStore
  private let scopes: ScopeDescriptions
  private let connector: Connector?
  private let clock: any WallClock

  /// - Parameter connector: nil: there is nothing that users connect.
  public init(
    gate: PageGate, clients: any ClientDirectory, consents: any ConsentStore, tokens: any TokenStore,
    scopes: ScopeDescriptions, connector: Connector? = nil, clock: any WallClock
  ) {
    self.gate = gate
    self.clients = clients
    self.consents = consents
    self.tokens = tokens
    self.scopes = scopes
    self.connector = connector
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
          username: account.username, apps: apps, connections: try await connections(of: account.subject),
          notice: AccountEndpoint.notice(query), csrf: browser.csrf.text))
    } catch {
      throw .unavailable(error)
    }
  }

  private static func notice(_ query: Form) -> String? {
    if query.contains("removed") { return "Access was removed." }
    if query.contains("connected") { return "The account was connected." }
    return query.contains("disconnected") ? "The account was disconnected." : nil
  }

  /// What can be connected, and what is connected although it no longer can be.
  private func connections(of subject: Subject) async throws(StoreFailure) -> [AccountPage.Connection] {
    guard let connector else { return [] }
    let made = try await connector.connections(of: subject)
    let connectable = connector.connectable
    let missing = connectable.filter { id in !made.contains { $0.provider == id } }
    return made.map { AccountPage.Connection($0, canConnect: connectable.contains($0.provider)) }
      + missing.map { AccountPage.Connection(provider: $0.rawValue, connect: "Connect") }
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
