import Broker
import Cryptography
import OAuthCore
import Synchronization

/// A provider that answers every code with a token.
final class ScriptedTokenEndpoint: ProviderTransport {
  private let sent = Mutex<[ProviderRequest]>([])
  var requests: [ProviderRequest] { sent.withLock { $0 } }

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    sent.withLock { $0.append(request) }
    return ProviderResponse(
      status: 200, contentType: "application/json",
      body: Secret(#"{"access_token":"vault-access","refresh_token":"vault-refresh","token_type":"Bearer","expires_in":3600}"#))
  }
}

struct NobodyListens: BrokerObserver, ChangeObserver {
  func observe(_ event: BrokerEvent, of connection: ConnectionKey) {}
  func apply(_ changes: [Change]) {}
  func forgetEverything() {}
}

extension Provider {
  static let vault = Provider(
    id: ProviderID("vault"), issuer: "https://vault.example", tokenEndpoint: EndpointURL("https://vault.example/token")!,
    client: ProviderClient(id: "postern", secret: Secret("s3cret")), scopes: ["read"], allowedHosts: ["api.vault.example"],
    authorization: ProviderAuthorization(
      endpoint: EndpointURL("https://vault.example/authorize")!,
      revocationEndpoint: EndpointURL("https://vault.example/revoke")!))
}
