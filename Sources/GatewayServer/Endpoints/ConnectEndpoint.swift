import Broker
import HTTPWire
import OAuthCore

/// `/connect/{provider}` and `/connect/{provider}/callback`: a user goes to a provider and comes back.
///
/// A user is signed in, or follows a ticket that an application's backend got. Nothing of a request says where the browser
/// goes: out it goes to the configured address, back to the account page or to where the ticket says, out of the
/// configured list.
public struct ConnectEndpoint: Endpoint {
  private let gate: PageGate
  private let connector: Connector
  private let tickets: ConnectTickets
  private let clients: any ClientDirectory

  public init(gate: PageGate, connector: Connector, tickets: ConnectTickets, clients: any ClientDirectory) {
    self.gate = gate
    self.connector = connector
    self.tickets = tickets
    self.clients = clients
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    let segments = request.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2).map(String.init)
    guard let name = segments.first, connector.connectable.contains(ProviderID(name)) else { return unknown(request) }
    let provider = ProviderID(name)
    // HEAD is not answered as GET: looking must neither begin nor end anything.
    switch (segments.count, request.method) {
    case (1, "GET"):
      return await gate.show(request) { (browser: Browser, query: Form) async throws(PageRefusal) -> HTTPResponse in
        if let ticket = query["ticket"] { return try await ask(ticket, for: provider, browser, request) }
        return try await leave(for: provider, browser, request)
      }
    case (1, "POST"):
      return await gate.submit(request) { (browser, form) async throws(PageRefusal) -> HTTPResponse in
        guard let ticket = form["ticket"] else { throw .malformed }
        return try await follow(ticket, to: provider, browser, request)
      }
    case (1, _): return gate.refuse(.methodNotAllowed(allow: "GET, POST"), request)
    case (2, _) where segments[1] == "callback":
      guard request.method == "GET" else { return gate.refuse(.methodNotAllowed(allow: "GET"), request) }
      return await gate.show(request) { (browser: Browser, query: Form) async throws(PageRefusal) -> HTTPResponse in
        try await comeBack(from: provider, browser, query, request)
      }
    default: return unknown(request)
    }
  }

  // MARK: Signed in

  private func leave(
    for provider: ProviderID, _ browser: Browser, _ request: HTTPRequest
  ) async throws(PageRefusal) -> HTTPResponse {
    guard let account = browser.account else { return .seeOther(LoginEndpoint.address(beforeConnecting: provider)) }
    do throws(Connector.Failure) {
      return .seeOther(try await connector.begin(provider, for: account.subject, session: browser.session.locator))
    } catch {
      return try refuse(error, provider, request)
    }
  }

  // MARK: By ticket

  /// Shows what a ticket is for. It stays good: previews of links use nothing up.
  private func ask(
    _ text: String, for provider: ProviderID, _ browser: Browser, _ request: HTTPRequest
  ) async throws(PageRefusal) -> HTTPResponse {
    do throws(StoreFailure) {
      guard let ticket = try await tickets.ticket(text, for: provider) else { return ticketOver(request) }
      if let account = browser.account, account.subject != ticket.subject { return otherAccount(account, request) }
      let name = try await clients.client(ticket.client)?.name ?? ticket.client.rawValue
      let page = ConnectPage(
        provider: provider.rawValue, clientName: name, subject: browser.account?.username ?? ticket.subject.rawValue,
        scopes: ticket.scopes.isEmpty ? connector.scopes(of: provider) : ticket.scopes, ticket: text,
        csrf: browser.csrf.text)
      // A provider that has asked this user before sends the browser straight on to where the ticket leads.
      let back = ticket.returnTo.map { " " + RedirectTarget($0).sources } ?? ""
      return gate.pages.respond(page, afterSubmit: gate.providerSources + back)
    } catch {
      throw .unavailable(error)
    }
  }

  private func follow(
    _ text: String, to provider: ProviderID, _ browser: Browser, _ request: HTTPRequest
  ) async throws(PageRefusal) -> HTTPResponse {
    do throws(StoreFailure) {
      guard let ticket = try await tickets.ticket(text, for: provider) else { return ticketOver(request) }
      if let account = browser.account, account.subject != ticket.subject { return otherAccount(account, request) }
    } catch {
      throw .unavailable(error)
    }
    do throws(Connector.Failure) {
      return .seeOther(try await tickets.follow(text, to: provider, session: browser.session.locator))
    } catch .noFlow {
      return ticketOver(request)
    } catch {
      return try refuse(error, provider, request)
    }
  }

  // MARK: Back

  private func comeBack(
    from provider: ProviderID, _ browser: Browser, _ query: Form, _ request: HTTPRequest
  ) async throws(PageRefusal) -> HTTPResponse {
    let flow: Connector.Return
    do throws(Connector.Failure) {
      flow = try await connector.comeBack(
        provider, state: query["state"], signedIn: browser.account?.subject, session: browser.session.locator)
    } catch {
      return try refuse(error, provider, request)
    }
    let answer = Connector.Answer(code: query["code"], error: query["error"], issuer: query["iss"])
    do throws(Connector.Failure) {
      try await connector.finish(provider, answer, of: flow)
    } catch {
      return try refuse(error, provider, request, returnTo: flow.returnTo)
    }
    if let address = flow.returnTo { return .seeOther(address) }
    return browser.account == nil ? done(provider) : .seeOther("/account?connected")
  }

  // MARK: Pages

  private func done(_ provider: ProviderID) -> HTTPResponse {
    gate.pages.respond(
      ErrorPage(
        heading: "\(provider) is connected", explanation: "The app that asked for it can use the account from now on.",
        advice: "You can close this page."))
  }

  private func unknown(_ request: HTTPRequest) -> HTTPResponse {
    let page = ErrorPage(
      heading: "There is nothing to connect here", explanation: "No service of this name can be connected.",
      advice: "Open your account page: it lists what you can connect.", requestID: request.requestID)
    return gate.pages.respond(page, status: 404)
  }

  private func ticketOver(_ request: HTTPRequest) -> HTTPResponse {
    let page = ErrorPage(
      heading: "This link is over", explanation: "It was used already, or it was made too long ago.",
      advice: "Go back to the app that sent you here, and start again from there.", requestID: request.requestID)
    return gate.pages.respond(page, status: 400)
  }

  private func otherAccount(_ account: Account, _ request: HTTPRequest) -> HTTPResponse {
    let page = ErrorPage(
      heading: "This link is for another account",
      explanation: "You are signed in as \(account.username), and the app asked for somebody else's account to be connected.",
      advice: "If that is you, too, sign out on your account page and open the link again. If not, close this page.",
      next: ErrorPage.Link(words: "Your account page", address: "/account"), requestID: request.requestID)
    return gate.pages.respond(page, status: 403)
  }

  /// - Parameter returnTo: of the flow's ticket, out of the configured list.
  private func refuse(
    _ failure: Connector.Failure, _ provider: ProviderID, _ request: HTTPRequest, returnTo: String? = nil
  ) throws(PageRefusal) -> HTTPResponse {
    if case .store(let failure) = failure { throw .unavailable(failure) }
    let from = returnTo == nil ? "your account page" : "the app that sent you here"
    let (status, heading, explanation, advice) =
      switch failure {
      case .denied:
        (403, "\(provider) was not connected", "Access was not allowed there. Nothing was changed here.",
          "If you did not mean to refuse, open \(from) and connect it again.")
      case .otherIssuer, .otherIdentity:
        (400, "\(provider) was not connected", "The answer did not come from the service that was asked.",
          "Do not try again from the same link. Open \(from) and connect it from there.")
      case .providerFailed, .store, .unknownProvider:
        (502, "\(provider) was not connected", "The service could not complete it.",
          "Wait a little, then open \(from) and connect it again.")
      case .noFlow:
        (400, "This connection attempt is over",
          "It was started too long ago, in another browser or before you signed in again, or it has been completed already.",
          "Open your account page, or the app that sent you, to see what is connected, and connect it again if it is missing.")
      }
    let next = returnTo.map { ErrorPage.Link(words: "Back to the app", address: $0) }
      ?? ErrorPage.Link(words: "Your account page", address: "/account")
    let page = ErrorPage(
      heading: heading, explanation: explanation, advice: advice, next: next, requestID: request.requestID)
    return gate.pages.respond(page, status: status)
  }
}
