import Broker
import HTTPWire
import OAuthCore

/// `/account/disconnect`: the account page has its form; the user ends a connection.
public struct DisconnectEndpoint: Endpoint {
  private let gate: PageGate
  private let connector: Connector

  public init(gate: PageGate, connector: Connector) {
    self.gate = gate
    self.connector = connector
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    guard request.method == "POST" else { return gate.refuse(.methodNotAllowed(allow: "POST"), request) }
    return await gate.submit(request) { (browser, form) async throws(PageRefusal) -> HTTPResponse in
      guard let account = browser.account else { return .seeOther("/login") }
      guard let provider = form["provider"] else { throw .malformed }
      do throws(StoreFailure) {
        try await connector.disconnect(ProviderID(provider), of: account.subject)
        return .seeOther("/account?disconnected")
      } catch {
        throw .unavailable(error)
      }
    }
  }
}
