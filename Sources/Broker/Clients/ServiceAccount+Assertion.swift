import Cryptography
import JSON
import OAuthCore

extension ServiceAccount {
  /// What the account says of itself. Source: RFC 7523 §3.
  ///
  /// - Parameter identifier: never used twice.
  func assertion(for tokenEndpoint: String, issuedAt now: Timestamp, identifier: String) -> Secret {
    let claims: JSONObject = [
      "iss": .string(issuer), "sub": .string(subject), "aud": .string(audience ?? tokenEndpoint), "jti": .string(identifier),
      "iat": .integer(now.seconds), "exp": .integer((now + ClientAssertion.lifetime).seconds),
    ]
    return Secret(JWT.sign(claims, type: "JWT", with: key.signing))
  }
}
