import Cryptography

/// What a handle is for; its prefix lets leaked ones be scanned for.
public enum HandleKind: String, Sendable, CaseIterable {
  case accessToken = "pat"
  case refreshToken = "prt"
  case clientSecret = "psk"
  case session = "pss"
  case authorizationCode = "pac"
  /// Leave to connect one account.
  case connectTicket = "pct"
}

/// A stored secret as its holder sees it: `prefix_` + base64url(16-byte locator ‖ 32-byte secret ‖ 8-byte tag).
///
/// Only SHA-256(secret) is stored. The tag is a truncated HMAC under the server key: garbage and forgeries end here,
/// before the database.
public struct Handle: Sendable {
  public let kind: HandleKind
  public let locator: Locator
  public let secret: Secret
  /// The ring key under which its tag is made; nil: the active one.
  public let keyID: String?

  public init(kind: HandleKind, locator: Locator, secret: Secret, keyID: String? = nil) {
    self.kind = kind
    self.locator = locator
    self.secret = secret
    self.keyID = keyID
  }

  /// What is stored of it.
  public var secretHash: Digest256 { SHA256.digest(secret) }
}
