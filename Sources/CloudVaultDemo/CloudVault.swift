import Cryptography
import GatewayServer
import OAuthCore

/// CloudVault, the other company of the demo: an authorization server and a photo API that Postern is a client of.
///
/// It stands in for what users will put behind Postern, so it believes nothing but its own tokens.
public struct CloudVault: Sendable {
  public let tokenEndpoint: DemoTokenEndpoint
  public let photoAPI: DemoPhotoAPI
  private let users: Users?
  private let authorization: DemoAuthorization?

  /// Where CloudVault asks its users, and whom it answers.
  public struct Users: Sendable {
    /// CloudVault's own origin, which is its issuer identifier.
    public let issuer: String
    /// The only redirect URI of its one client.
    public let redirectURI: String

    public init(issuer: String, redirectURI: String) {
      self.issuer = issuer
      self.redirectURI = redirectURI
    }
  }

  public static let authorizePath = "/oauth/authorize"
  public static let revokePath = "/oauth/revoke"
  public static let tokenPath = "/oauth/token"
  public static let photosPath = "/api/v1/photos"
  public static let healthPath = "/healthz"

  /// - Parameters:
  ///   - client: the identifier and secret that Postern has at CloudVault.
  ///   - users: nil: nobody is asked; the client has a token of its own.
  ///   - tokenLifetime: short, so that a renewal is seen while one watches.
  public init(
    client: ClientID, secret: Secret, users: Users? = nil, tokenLifetime: Duration = .seconds(300), clock: any WallClock,
    random: any RandomSource
  ) {
    let tokens = IssuedTokens(
      lifetime: tokenLifetime, key: HKDF.derive(from: secret, info: "cloudvault tokens", byteCount: 32), clock: clock, random: random)
    let codes = DemoCodes(clock: clock, random: random)
    self.users = users
    tokenEndpoint = DemoTokenEndpoint(client: client, secret: secret, tokens: tokens, codes: codes)
    authorization = users.map { DemoAuthorization(client: client, users: $0, codes: codes) }
    photoAPI = DemoPhotoAPI(tokens: tokens)
  }

  /// Everything CloudVault serves, by path.
  public var endpoints: EndpointTable {
    var table = EndpointTable()
    table.add(Self.tokenPath, bodyBytesMax: 16 << 10, tokenEndpoint)
    table.add(Self.photosPath, servesBelow: true, bodyBytesMax: 0, photoAPI)
    if let users, let authorization {
      table.add(Self.authorizePath, bodyBytesMax: 16 << 10, authorization)
      table.add(Self.revokePath, bodyBytesMax: 16 << 10, DemoRevocation(tokenEndpoint: tokenEndpoint))
      table.add("/.well-known/oauth-authorization-server", bodyBytesMax: 0, DemoMetadata(users: users))
    }
    table.add(Self.healthPath, bodyBytesMax: 0, DemoHealth())
    return table
  }
}
