import OAuthCore

extension Connector {
  /// Forgets a connection here, then tells the provider. Source: RFC 7009 §2.1.
  ///
  /// The provider's no does not matter: what is not kept here is not used from here.
  public func disconnect(_ id: ProviderID, of subject: Subject) async throws(StoreFailure) {
    let key = ConnectionKey(provider: id, owner: .subject(subject))
    let stored = try await connections.connection(key)
    try await connections.revoke(key)
    observer.observe(.disconnected, of: key)
    tell(key)
    guard let provider = providers[id], let credential = stored?.credential,
      let record = CredentialSealer(ring: ring).open(credential, of: key),
      let endpoints = await channel.directory.endpoints(of: provider), let endpoint = endpoints.revocation
    else { return }
    // Ending the refresh token ends the access tokens of the grant. Source: RFC 7009 §2.1.
    let (token, hint) = record.refreshToken.map { ($0, "refresh_token") } ?? (record.accessToken, "access_token")
    let response = try? await channel.post(
      [("token", token.exposedText), ("token_type_hint", hint)], to: endpoint, of: provider, endpoints,
      deadline: limits.providerDeadline)
    if response?.status != 200 { observer.observe(.notRevokedAtProvider, of: key) }
  }
}
