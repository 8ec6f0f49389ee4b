import Cryptography
import OAuthCore

/// An upstream authorization server that Postern is a client of.
public struct Provider: Sendable, Equatable {
  public var id: ProviderID
  public var tokenEndpoint: EndpointURL
  public var client: ProviderClient
  /// Asked for with every token; empty: the provider's default.
  public var scopes: [String]
  /// Between scopes in the request. RFC 6749 §3.3 says a space; some providers want a comma.
  public var scopeSeparator: String
  /// `audience` of the request, as some providers want it instead of `resource`.
  public var audience: String?
  /// `resource` parameters. Source: RFC 8707 §2.
  public var resources: [String]
  /// The only hosts this provider's tokens are sent to: lower case, without port.
  public var allowedHosts: [String]
  /// Development: the token endpoint may be reached without TLS.
  public var allowHTTP: Bool
  /// Development: the token endpoint may resolve to an address that is not public.
  public var allowPrivateAddresses: Bool
  /// Life of a token whose response names none (`expires_in` is only RECOMMENDED, RFC 6749 §5.1).
  public var defaultLifetime: Duration
  /// How users connect their accounts; nil: Postern obtains one token for itself, by client credentials.
  public var authorization: ProviderAuthorization?

  public static let lifetimeWhenUnnamed = Duration.seconds(300)

  public init(
    id: ProviderID, tokenEndpoint: EndpointURL, client: ProviderClient, scopes: [String] = [],
    scopeSeparator: String = " ", audience: String? = nil, resources: [String] = [], allowedHosts: [String],
    allowHTTP: Bool = false, allowPrivateAddresses: Bool = false,
    defaultLifetime: Duration = Provider.lifetimeWhenUnnamed, authorization: ProviderAuthorization? = nil
  ) {
    self.id = id
    self.tokenEndpoint = tokenEndpoint
    self.client = client
    self.scopes = scopes
    self.scopeSeparator = scopeSeparator
    self.audience = audience
    self.resources = resources
    self.allowedHosts = allowedHosts
    self.allowHTTP = allowHTTP
    self.allowPrivateAddresses = allowPrivateAddresses
    self.defaultLifetime = defaultLifetime
    self.authorization = authorization
  }

  /// Whether a token of this provider may be sent to `host`.
  ///
  /// - Parameter host: without port; compared without case.
  public func allows(host: String) -> Bool { allowedHosts.contains(host.lowercased()) }
}

/// What Postern is to a provider. Source: RFC 6749 §2.3.1.
public struct ProviderClient: Sendable, Hashable {
  public enum Authentication: String, Sendable, CaseIterable {
    case basic = "client_secret_basic"
    case post = "client_secret_post"
  }

  public var id: String
  public var secret: Secret
  public var authentication: Authentication

  public init(id: String, secret: Secret, authentication: Authentication = .basic) {
    self.id = id
    self.secret = secret
    self.authentication = authentication
  }
}
