import Broker
import OAuthCore

/// A foreign endpoint that says what a token stands for. Source: RFC 7662.
public struct IntrospectionService: Sendable, Hashable {
  public var endpoint: EndpointURL
  /// What Postern is there. Source: RFC 7662 §2.1: the endpoint must know who asks.
  public var client: ProviderClient
  /// Whose tokens these are; an answer that names another issuer is refused. nil: the endpoint's own, whoever that is.
  public var issuer: String?
  /// How long an answer is believed without asking again; never beyond the token's expiry.
  public var lifetime: Duration
  /// How old a positive answer may be that is believed while the endpoint gives none.
  public var stalenessMax: Duration
  /// Development: the endpoint may be reached without TLS.
  public var allowHTTP: Bool
  /// Development: it may be at an address that is not public.
  public var allowPrivateAddresses: Bool

  public init(
    endpoint: EndpointURL, client: ProviderClient, issuer: String? = nil, lifetime: Duration = .seconds(30),
    stalenessMax: Duration = .zero, allowHTTP: Bool = false, allowPrivateAddresses: Bool = false
  ) {
    self.endpoint = endpoint
    self.client = client
    self.issuer = issuer
    self.lifetime = lifetime
    self.stalenessMax = stalenessMax
    self.allowHTTP = allowHTTP
    self.allowPrivateAddresses = allowPrivateAddresses
  }
}
