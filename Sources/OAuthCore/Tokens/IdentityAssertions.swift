import Cryptography
import JSON

/// Short statements about who asks, for upstreams that believe Postern: they verify them by its published keys
/// (`/oauth/jwks`), and get no token that is good anywhere else.
///
/// An upstream has to check `typ`, `iss`, `aud` and `exp`. Source: RFC 7519 §4.1; RFC 8725 §3.11 (a type of its own, so that
/// none passes for an access token).
public struct IdentityAssertions: Sendable {
  /// `typ`.
  public static let type = "assertion+jwt"

  private let issuer: String
  private let signingKeys: SigningKeys

  public init(issuer: String, signingKeys: SigningKeys) {
    self.issuer = issuer
    self.signingKeys = signingKeys
  }

  /// - Parameters:
  ///   - audience: whom it is for, and nobody else.
  ///   - identifier: `jti`, for those who take each but once; nil: it may be shown again.
  public func assertion(
    of subject: Subject, for audience: String, issuedAt now: Timestamp, lifetime: Duration, identifier: String? = nil
  ) -> Secret {
    var claims: JSONObject = [
      "iss": .string(issuer), "sub": .string(subject.rawValue), "aud": .string(audience), "iat": .integer(now.seconds),
      "exp": .integer((now + lifetime).seconds),
    ]
    if let identifier { claims["jti"] = .string(identifier) }
    return Secret(signingKeys.sign(claims, type: Self.type))
  }
}
