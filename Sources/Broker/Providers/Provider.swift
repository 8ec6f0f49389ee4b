import Cryptography
import OAuthCore

/// An upstream authorization server that Postern is a client of.
public struct Provider: Sendable, Equatable {
  public var id: ProviderID
  /// Its issuer identifier: what its metadata, its answers and its ID tokens have to name. Source: RFC 8414 §2; RFC 9207.
  public var issuer: String?
  /// nil: the issuer's metadata tells, as it does of every other endpoint that is not named.
  public var tokenEndpoint: EndpointURL?
  /// Keys of ID tokens; nil: what the metadata tells.
  public var keySetURL: EndpointURL?
  public var client: ProviderClient
  /// Asked for with every token; empty: the provider's default.
  public var scopes: [String]
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
  /// How users connect their accounts; nil: nobody does, and Postern obtains tokens by `grant`.
  public var authorization: ProviderAuthorization?
  public var grant: ProviderGrant
  public var release: TokenRelease
  public var quirks: ProviderQuirks

  public static let lifetimeWhenUnnamed = Duration.seconds(300)

  public init(
    id: ProviderID, issuer: String? = nil, tokenEndpoint: EndpointURL?, keySetURL: EndpointURL? = nil,
    client: ProviderClient, scopes: [String] = [],
    audience: String? = nil, resources: [String] = [], allowedHosts: [String],
    allowHTTP: Bool = false, allowPrivateAddresses: Bool = false,
    defaultLifetime: Duration = Provider.lifetimeWhenUnnamed, authorization: ProviderAuthorization? = nil,
    grant: ProviderGrant = .clientCredentials, release: TokenRelease = .proxyOnly, quirks: ProviderQuirks = ProviderQuirks()
  ) {
    self.id = id
    precondition(tokenEndpoint != nil || issuer != nil, "a provider's token endpoint is named, or its issuer is")
    self.issuer = issuer
    self.tokenEndpoint = tokenEndpoint
    self.keySetURL = keySetURL
    self.client = client
    self.scopes = scopes
    self.audience = audience
    self.resources = resources
    self.allowedHosts = allowedHosts
    self.allowHTTP = allowHTTP
    self.allowPrivateAddresses = allowPrivateAddresses
    self.defaultLifetime = defaultLifetime
    self.authorization = authorization
    self.grant = grant
    self.release = release
    self.quirks = quirks
  }

  /// Whether some endpoint is found by the issuer's metadata.
  var isDiscovered: Bool { tokenEndpoint == nil || authorization.map { $0.endpoint == nil } ?? false }

  /// Whether it vouches for who has signed in. Source: OpenID Connect Core §3.1.2.1.
  var speaksOpenID: Bool { authorization != nil && scopes.contains("openid") }

  /// Whether a token of this provider may be sent to `host`.
  ///
  /// - Parameter host: without port; compared without case.
  public func allows(host: String) -> Bool { allowedHosts.contains(host.lowercased()) }
}
