import Cryptography
import JSON
import OAuthCore

/// What one client assertion says: who asks, whom, when. Source: RFC 7523 §3; RFC 7521 §5.2.
struct ClientAssertion: Sendable, Equatable {
  /// `client_assertion_type`. Source: RFC 7523 §2.2.
  static let type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
  /// It is sent at once; the rest is for clocks that differ.
  static let lifetime = Duration.seconds(60)

  let clientID: String
  /// The token endpoint, whichever endpoint it is sent to: what providers agree on. Source: RFC 7523 §3; RFC 9126 §2.
  let audience: String
  let issuedAt: Timestamp
  /// Never used twice.
  let identifier: String

  func signed(by key: AssertionKey) -> Secret {
    let claims: JSONObject = [
      "iss": .string(clientID), "sub": .string(clientID), "aud": .string(audience), "jti": .string(identifier),
      "iat": .integer(issuedAt.seconds), "exp": .integer((issuedAt + Self.lifetime).seconds),
    ]
    return Secret(JWT.sign(claims, type: "JWT", with: key.signing))
  }
}
