/// Why a user has to connect again. Raw values are stored.
public enum ReauthenticationReason: String, Sendable, Hashable, CaseIterable {
  /// The provider no longer takes the refresh token: the user, or the provider, has ended it. Source: RFC 6749 §5.2.
  case refreshTokenRefused = "refresh_token_refused"
  /// The provider refused the refresh token after a refresh whose outcome was lost: most likely it was rotated there.
  case rotationInDoubt = "rotation_in_doubt"
  /// The access token has ended and no refresh token ever came.
  case noRefreshToken = "no_refresh_token"
}

/// Where a user's connection stands.
///
/// `active` → `needsReauthentication`, `revoked`; `needsReauthentication` → `active`, `revoked`; `revoked` → `active`:
/// it is the user who connects that makes one active.
public enum ConnectionState: Sendable, Hashable {
  case active
  case needsReauthentication(ReauthenticationReason)
  /// The user has disconnected; no token is kept.
  case revoked
}
