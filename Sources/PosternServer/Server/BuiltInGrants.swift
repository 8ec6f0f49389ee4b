import Cryptography
import Grants
import OAuthCore

/// The grants that come with Postern; they use the interface that plugged-in ones use.
enum BuiltInGrants {
  static let types: [GrantType] = [.authorizationCode, .clientCredentials, .refreshToken, .tokenExchange]

  static func handlers(
    ring: KeyRing, handles: HandleMint, verifier: AccessTokenVerifier, vault: any TokenVault
  ) -> [any GrantHandler] {
    [
      AuthorizationCodeGrant(codes: AuthorizationCodeSealer(ring: ring)),
      ClientCredentialsGrant(),
      RefreshTokenGrant(handles: handles),
      TokenExchangeGrant(tokens: verifier, vault: vault),
    ]
  }
}
