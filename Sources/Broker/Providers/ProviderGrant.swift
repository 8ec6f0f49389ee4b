import OAuthCore

/// How Postern obtains tokens at a provider where users connect nothing: each can be asked for at any time.
public enum ProviderGrant: Sendable, Hashable {
  /// Source: RFC 6749 §4.4.
  case clientCredentials
  /// By assertions that a service account signs. Source: RFC 7523 §2.1.
  case jwtBearer(ServiceAccount)
  /// For each subject, by a statement of Postern's about who it is. Source: RFC 8693 §2.1.
  case tokenExchange
}

/// What speaks for itself at a provider. Source: RFC 7523 §3.
public struct ServiceAccount: Sendable, Hashable {
  /// `iss`.
  public var issuer: String
  /// `sub`: for whom it acts; usually itself.
  public var subject: String
  /// `aud`; nil: the token endpoint.
  public var audience: String?
  public var key: AssertionKey

  public init(issuer: String, subject: String? = nil, audience: String? = nil, key: AssertionKey) {
    self.issuer = issuer
    self.subject = subject ?? issuer
    self.audience = audience
    self.key = key
  }
}

/// What may become of a provider's tokens.
public enum TokenRelease: String, Sendable, CaseIterable {
  /// Nothing: no route sends them.
  case never
  /// Routes send them to the provider's hosts.
  case proxyOnly = "proxy_only"
  /// Clients may have them, too. Source: RFC 8693 §2.
  case tokenExchange = "token_exchange"
}
