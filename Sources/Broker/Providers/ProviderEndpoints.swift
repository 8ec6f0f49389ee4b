/// Where a provider is spoken to: what the configuration names, and what the issuer's metadata adds to it.
struct ProviderEndpoints: Sendable, Equatable {
  var token: EndpointURL
  var authorization: EndpointURL?
  var revocation: EndpointURL?
  var pushedRequests: EndpointURL?
  var keySet: EndpointURL?
  /// Whether an answer that does not name the issuer is refused. Source: RFC 9207 §2.4.
  var namesIssuer: Bool

  /// nil: the token endpoint is to be found first.
  init?(naming provider: Provider) {
    guard let token = provider.tokenEndpoint else { return nil }
    self.token = token
    authorization = provider.authorization?.endpoint
    revocation = provider.authorization?.revocationEndpoint
    pushedRequests = nil
    keySet = provider.keySetURL
    // There is no metadata to say so; whoever configures an issuer means it.
    namesIssuer = provider.issuer != nil
  }

  /// - Throws: what is missing in both.
  init(_ metadata: IssuerMetadata, of provider: Provider) throws(IssuerMetadata.Failure) {
    guard let token = provider.tokenEndpoint ?? metadata.tokenEndpoint else { throw .badEndpoint("token_endpoint") }
    self.token = token
    authorization = provider.authorization?.endpoint ?? metadata.authorizationEndpoint
    if provider.authorization != nil, authorization == nil { throw .badEndpoint("authorization_endpoint") }
    revocation = provider.authorization?.revocationEndpoint ?? metadata.revocationEndpoint
    pushedRequests = metadata.pushedRequestEndpoint
    keySet = provider.keySetURL ?? metadata.keySetURL
    namesIssuer = metadata.namesIssuer
  }
}
