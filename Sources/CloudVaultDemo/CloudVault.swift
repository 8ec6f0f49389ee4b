import Cryptography
import GatewayServer
import OAuthCore

/// CloudVault, the other company of the demo: an authorization server and a photo API that Postern is a client of.
///
/// It stands in for what users will put behind Postern, so it believes nothing but its own tokens.
public struct CloudVault: Sendable {
  public let tokenEndpoint: DemoTokenEndpoint
  public let photoAPI: DemoPhotoAPI

  public static let tokenPath = "/oauth/token"
  public static let photosPath = "/api/v1/photos"
  public static let healthPath = "/healthz"

  /// - Parameters:
  ///   - client: the identifier and secret that Postern has at CloudVault.
  ///   - tokenLifetime: short, so that a renewal is seen while one watches.
  public init(
    client: ClientID, secret: Secret, tokenLifetime: Duration = .seconds(300), clock: any WallClock,
    random: any RandomSource
  ) {
    let tokens = IssuedTokens(
      lifetime: tokenLifetime, key: HKDF.derive(from: secret, info: "cloudvault tokens", byteCount: 32), clock: clock, random: random)
    tokenEndpoint = DemoTokenEndpoint(client: client, secret: secret, tokens: tokens)
    photoAPI = DemoPhotoAPI(tokens: tokens)
  }

  /// Everything CloudVault serves, by path.
  public var endpoints: EndpointTable {
    var table = EndpointTable()
    table.add(Self.tokenPath, bodyBytesMax: 16 << 10, tokenEndpoint)
    table.add(Self.photosPath, servesBelow: true, bodyBytesMax: 0, photoAPI)
    table.add(Self.healthPath, bodyBytesMax: 0, DemoHealth())
    return table
  }
}
