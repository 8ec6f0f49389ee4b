import OAuthCore

extension TokenRequest {
  /// Asks, and reads the answer.
  func send(over channel: ProviderChannel) async throws(TokenEndpointFailure) -> TokenResponse {
    guard let endpoints = await channel.directory.endpoints(of: provider) else {
      throw .transient(.undiscovered, retryAfter: nil)
    }
    let response: ProviderResponse
    do {
      response = try await channel.post(parameters, to: endpoints.token, of: provider, endpoints, deadline: deadline)
    } catch {
      throw .transient(.transport(error), retryAfter: nil)
    }
    return try TokenResponse(reading: response, quirks: provider.quirks)
  }
}

extension CredentialRecord {
  /// - Parameters:
  ///   - sentAt: when the provider was asked; the life is counted from there, so that a slow answer does not lengthen it.
  ///   - old: what was refreshed; its refresh token stays when no other came. Source: RFC 6749 §6.
  init(_ token: TokenResponse, to request: TokenRequest, sentAt: Timestamp, replacing old: CredentialRecord?) {
    let isUsers = request.provider.authorization != nil
    // What can be asked for anew needs none.
    let refreshToken = isUsers ? token.refreshToken ?? old?.refreshToken : nil
    // A token that names no end and cannot be replaced is good until the upstream says otherwise.
    let unnamed = isUsers && refreshToken == nil ? RenewalMargins.lifetimeMax : request.provider.defaultLifetime
    self.init(
      accessToken: token.accessToken, refreshToken: refreshToken, obtainedAt: sentAt,
      expiresAt: sentAt + (token.lifetime ?? unnamed), fingerprint: request.fingerprint)
  }
}
