import GatewayServer
import HTTPWire
import Synchronization

/// The API of the configuration that is served now: the admin listener outlasts it.
final class CurrentAPI: Endpoint {
  private let api: Mutex<ManagementAPI>

  init(_ api: ManagementAPI) { self.api = Mutex(api) }

  func replace(_ next: ManagementAPI) { api.withLock { $0 = next } }

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    await api.withLock { $0 }.respond(to: request)
  }
}
