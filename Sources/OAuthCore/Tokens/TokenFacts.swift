import Cryptography

/// What a verified access token says: what the gateway caches and decides by.
public struct TokenFacts: Sendable {
  public var authorization: Authorization
  public var family: Locator?
  /// The token's own id: for a JWT its `jti`.
  public var locator: Locator
  public var issuedAt: Timestamp
  public var expiresAt: Timestamp
  /// Of an opaque token's secret, as `HandleLayout.locatorAndHash` computes it; of a JWT's whole text.
  public var secretHash: Digest256
  /// Of the key that signed a JWT; nil for a stored token.
  public var keyID: String?

  public init(
    authorization: Authorization, family: Locator?, locator: Locator, issuedAt: Timestamp, expiresAt: Timestamp,
    secretHash: Digest256, keyID: String? = nil
  ) {
    self.authorization = authorization
    self.family = family
    self.locator = locator
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.secretHash = secretHash
    self.keyID = keyID
  }

  public var subject: Subject { authorization.subject }
  public var client: ClientID { authorization.client }
  public var scope: ScopeSet { authorization.scope }
  /// Empty when the token names no resource.
  public var audience: [String] { authorization.audience }
}
