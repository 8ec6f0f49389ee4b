/// Why there is no live credential. Details are in the log; nothing here came from a provider verbatim.
public enum BrokerFailure: Error, Sendable, Hashable {
  /// The provider or the store cannot help now.
  ///
  /// - Parameter retryAfter: when another try makes sense: the `Retry-After` of a 503.
  case unavailable(retryAfter: Duration)
  /// The provider says no to Postern itself, and will until somebody changes something there or in the configuration.
  case refused(ProviderRefusal, retryAfter: Duration)
  /// The subject has not connected an account at the provider.
  case notConnected
  /// The subject has, but has to do so again.
  case needsReauthentication(ReauthenticationReason)
  /// No provider of that name is configured.
  case unknownProvider
}

/// How a provider refuses. Source: RFC 6749 §5.2.
public enum ProviderRefusal: String, Error, Sendable, Hashable, CaseIterable {
  /// Postern's own credentials are not accepted: an incident of the provider, not of any connection.
  case invalidClient = "invalid_client"
  case invalidGrant = "invalid_grant"
  case invalidRequest = "invalid_request"
  case invalidScope = "invalid_scope"
  case invalidTarget = "invalid_target"
  case unauthorizedClient = "unauthorized_client"
  case unsupportedGrantType = "unsupported_grant_type"
  /// The token is not a bearer token, so we could not send it.
  case unsupportedTokenType = "unsupported_token_type"
  /// Another code, or a client error without one.
  case other
}
