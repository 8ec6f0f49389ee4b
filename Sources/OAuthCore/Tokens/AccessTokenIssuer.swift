import Cryptography
import JSON

/// Makes access tokens, in both formats.
public struct AccessTokenIssuer: Sendable {
  /// A token whose identity is settled while what it speaks for may still be read from the store.
  enum Draft: Sendable {
    case opaque(Handle)
    case jwt(id: Locator)

    var locator: Locator {
      switch self {
      case .opaque(let handle): handle.locator
      case .jwt(let id): id
      }
    }

    /// What is recorded; nil: a JWT is not stored.
    func record(expiresAt: Timestamp) -> NewAccessToken? {
      guard case .opaque(let handle) = self else { return nil }
      return NewAccessToken(locator: handle.locator, secretHash: handle.secretHash, expiresAt: expiresAt)
    }
  }

  private let issuer: String
  private let handles: HandleMint
  private let signingKeys: SigningKeys

  public init(issuer: String, handles: HandleMint, signingKeys: SigningKeys) {
    self.issuer = issuer
    self.handles = handles
    self.signingKeys = signingKeys
  }

  func draft(_ format: AccessTokenFormat, at now: Timestamp) -> Draft {
    switch format {
    case .opaque: .opaque(handles.make(.accessToken, at: now))
    case .jwt: .jwt(id: handles.locator(at: now))
    }
  }

  /// The token as the client gets it.
  func text(
    of draft: Draft, _ authorization: Authorization, family: Locator?, issuedAt: Timestamp, expiresAt: Timestamp
  ) -> String {
    switch draft {
    case .opaque(let handle): return handles.text(of: handle)
    case .jwt(let id):
      let claims = claims(id, authorization, family: family, issuedAt: issuedAt, expiresAt: expiresAt)
      return signingKeys.sign(claims, type: AccessTokenJWT.type)
    }
  }

  /// Source: RFC 9068 §2.2.
  private func claims(
    _ id: Locator, _ authorization: Authorization, family: Locator?, issuedAt: Timestamp, expiresAt: Timestamp
  ) -> JSONObject {
    var claims: JSONObject = [
      "iss": .string(issuer),
      "sub": .string(authorization.subject.rawValue),
      // A token that names no resource is for the resources behind its issuer: this gateway.
      "aud": audience(authorization.audience),
      "client_id": .string(authorization.client.rawValue),
      "iat": .integer(issuedAt.seconds),
      "exp": .integer(expiresAt.seconds),
      "jti": .string(Base64URL.encode(id.bytes)),
    ]
    if !authorization.scope.isEmpty { claims["scope"] = .string(authorization.scope.description) }
    if let family { claims[AccessTokenJWT.familyClaim] = .string(Base64URL.encode(family.bytes)) }
    if let authenticatedAt = authorization.authenticatedAt { claims["auth_time"] = .integer(authenticatedAt.seconds) }
    for (name, value) in AccessTokenJWT.grantClaims(authorization.claims).members { claims[name] = value }
    return claims
  }

  private func audience(_ resources: [String]) -> JSON {
    switch resources.count {
    case 0: .string(issuer)
    case 1: .string(resources[0])
    default: .array(resources.map(JSON.string))
    }
  }
}

/// What tells our JWT access tokens from other JWTs.
enum AccessTokenJWT {
  /// Source: RFC 9068 §2.1.
  static let type = "at+jwt"
  /// Ours: the grant family, so that ending it ends the token.
  static let familyClaim = "gid"
  /// Longer tokens are not parsed. Bytes.
  static let byteCountMax = 8 * 1024

  private static let ownClaims: Set<String> = [
    "iss", "sub", "aud", "client_id", "scope", "iat", "exp", "nbf", "jti", "auth_time", familyClaim,
  ]

  /// The claims that a grant adds; those that say what a token may do are the core's alone.
  static func grantClaims(_ claims: JSONObject) -> JSONObject {
    var added = JSONObject()
    for (name, value) in claims.members where !ownClaims.contains(name) { added[name] = value }
    return added
  }
}
