/// How users connect their accounts at a provider. Source: RFC 6749 §4.1; RFC 7636.
public struct ProviderAuthorization: Sendable, Equatable {
  /// Where the browser is sent; nil: the issuer's metadata tells.
  public var endpoint: EndpointURL?
  /// Source: RFC 7009 §2; nil: what the metadata tells; where it tells of none, disconnecting is local.
  public var revocationEndpoint: EndpointURL?
  public var rotation: Rotation
  public var renewal: RenewalPolicy

  public init(
    endpoint: EndpointURL?, revocationEndpoint: EndpointURL? = nil, rotation: Rotation = .unknown,
    renewal: RenewalPolicy = RenewalPolicy()
  ) {
    self.endpoint = endpoint
    self.revocationEndpoint = revocationEndpoint
    self.rotation = rotation
    self.renewal = renewal
  }

  /// What the provider does to a refresh token that was used: it decides what may be done after a refresh whose outcome
  /// nobody knows.
  public enum Rotation: String, Sendable, CaseIterable {
    /// The refresh token stays.
    case none
    /// The refresh token is dead once it was used; using it again may end the connection. Source: RFC 9700 §4.14.2.
    case strict
    /// As `strict`, but a retry soon after gets the same answer.
    case grace
    /// Taken for `strict`.
    case unknown

    /// Whether nothing is lost by presenting a refresh token that may have been used already.
    var allowsSecondUse: Bool { self == .none || self == .grace }
  }
}
