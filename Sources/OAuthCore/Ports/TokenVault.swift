import Cryptography

/// Holds tokens of others for its users, and hands them out where that is allowed.
public protocol TokenVault: Sendable {
  /// A token that lives, refreshed if need be.
  ///
  /// - Parameter audience: whom it is for, as the client named it.
  /// - Throws: `invalid_target` when this audience's tokens are not released, or there is no such; `invalid_grant` when the
  ///   user has to act first; `temporarily_unavailable`.
  func release(_ audience: String, to client: ClientID, for subject: Subject) async throws(OAuthError) -> VaultToken
}

public struct VaultToken: Sendable, Equatable {
  public var accessToken: Secret
  /// As its issuer said.
  public var expiresAt: Timestamp

  public init(accessToken: Secret, expiresAt: Timestamp) {
    self.accessToken = accessToken
    self.expiresAt = expiresAt
  }
}
