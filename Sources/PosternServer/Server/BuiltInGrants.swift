import Cryptography
import Grants
import OAuthCore

/// The grants that come with Postern; they use the interface that plugged-in ones use.
enum BuiltInGrants {
  static let types: [GrantType] = [.authorizationCode, .clientCredentials, .refreshToken]

  static func handlers(ring: KeyRing, handles: HandleMint) -> [any GrantHandler] {
    [
      AuthorizationCodeGrant(codes: AuthorizationCodeSealer(ring: ring)),
      ClientCredentialsGrant(),
      RefreshTokenGrant(handles: handles),
    ]
  }
}
