import Broker
import Cryptography
import OAuthCore

/// PrintMyPics's calls to Postern, server to server.
struct PosternClient: Sendable {
  let client: DemoClient
  let transport: any ProviderTransport

  private static let deadline = Duration.seconds(10)
  /// Tokens and a page of titles are far smaller.
  private static let bodyByteCountMax = 256 << 10

  /// Source: RFC 6749 §4.1.3; RFC 7636 §4.5.
  func exchange(_ redeemable: Visit.RedeemableCode) async throws(CallFailure) -> Tokens {
    try Tokens(
      reading: await post(
        client.tokenEndpoint,
        [
          ("grant_type", GrantType.authorizationCode.rawValue), ("code", redeemable.code.exposedText),
          ("redirect_uri", client.redirectURI), ("code_verifier", redeemable.verifier.exposedText),
        ]))
  }

  /// Source: RFC 6749 §6.
  func refresh(_ token: Secret) async throws(CallFailure) -> Tokens {
    let form = [("grant_type", GrantType.refreshToken.rawValue), ("refresh_token", token.exposedText)]
    return try Tokens(reading: await post(client.tokenEndpoint, form), replacing: token)
  }

  /// Calls the gateway. Source: RFC 6750 §2.1.
  func photos(_ accessToken: Secret) async throws(CallFailure) -> [Photo] {
    let bearer = Secret("Bearer " + accessToken.exposedText)
    return try Photo.list(reading: await send(client.photos, authorization: bearer, form: nil))
  }

  /// Ending the refresh token ends what was issued with it. Source: RFC 7009 §2.1.
  func revoke(_ tokens: Tokens) async throws(CallFailure) {
    let hint = tokens.refresh == nil ? "access_token" : "refresh_token"
    let form = [("token", (tokens.refresh ?? tokens.access).exposedText), ("token_type_hint", hint)]
    let response = try await post(client.revocationEndpoint, form)
    guard response.status == 200 else { throw .refused(status: response.status, code: nil) }
  }

  private func post(_ url: String, _ form: [(String, String)]) async throws(CallFailure) -> ProviderResponse {
    let form = Secret(PercentEncoding.form(form.map { (name: $0.0, value: $0.1) }))
    return try await send(url, authorization: client.basicAuthorization, form: form)
  }

  private func send(_ url: String, authorization: Secret, form: Secret?) async throws(CallFailure) -> ProviderResponse {
    guard let url = EndpointURL(url) else { preconditionFailure("the issuer is not a URL") }
    // The demo's Postern is on this machine.
    let request = ProviderRequest(
      url: url, authorization: authorization, form: form, allowHTTP: true, allowPrivateAddresses: true,
      deadline: Self.deadline, bodyByteCountMax: Self.bodyByteCountMax)
    do throws(TransportFailure) {
      return try await transport.send(request)
    } catch {
      throw .unreachable(error)
    }
  }
}
