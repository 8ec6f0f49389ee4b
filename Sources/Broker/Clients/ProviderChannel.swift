import Cryptography
import OAuthCore

/// How Postern speaks to its providers: it finds their endpoints, and is their client there.
struct ProviderChannel: Sendable {
  let transport: any ProviderTransport
  let directory: ProviderDirectory
  let clock: any WallClock
  let random: any RandomSource

  /// A form to one of the provider's endpoints, as the client that Postern is there.
  func post(
    _ parameters: [(name: String, value: String)], to url: EndpointURL, of provider: Provider,
    _ endpoints: ProviderEndpoints, deadline: Duration
  ) async throws(TransportFailure) -> ProviderResponse {
    let assertion = provider.client.key.map { key in
      ClientAssertion(
        clientID: provider.client.id, audience: endpoints.token.description, issuedAt: clock.now,
        identifier: Base64URL.encode(random.bytes(16))
      ).signed(by: key)
    }
    var request = provider.client.authenticatedRequest(to: url, parameters, assertion: assertion, deadline: deadline)
    request.allowHTTP = provider.allowHTTP
    request.allowPrivateAddresses = provider.allowPrivateAddresses
    return try await transport.send(request)
  }
}
