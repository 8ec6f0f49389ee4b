import JSON

/// A JSON Web Token: claims in a JWS. Source: RFC 7519.
public struct JWT: Sendable {
  let header: JWS.Header
  public let claims: JSONObject

  /// `kid`. Source: RFC 7515 §4.1.4.
  public var keyID: String? { header.keyID }

  /// Signs claims.
  ///
  /// - Parameter type: `typ`; explicit, so that one kind of token is never taken for another (RFC 8725 §3.11).
  public static func sign(_ claims: JSONObject, type: String, with key: SigningKey) -> String {
    JWS.sign(claims.bytes, type: type, with: key)
  }

  /// Verifies signature and claims.
  ///
  /// - Parameter now: seconds since 1970-01-01T00:00:00Z.
  /// - Throws: `JWTError`, by the first check that fails: signature, `typ`, `iss`, `aud`, `exp`, `nbf`.
  public static func verify(
    _ token: String, with keys: VerificationKeySet, expecting expectation: JWTExpectation, now: Int64
  ) throws(JWTError) -> JWT {
    let jws: JWS
    do { jws = try JWS.verify(token, with: keys) } catch { throw .signature(error) }
    guard let claims = try? JSON(parsing: jws.payload).object else { throw .malformed }
    try expectation.check(type: jws.header.type)
    try expectation.check(claims, now: now)
    return JWT(header: jws.header, claims: claims)
  }
}

/// Why a JWT is refused.
public enum JWTError: Error, Sendable, Hashable, CustomStringConvertible {
  case signature(JWSError)
  /// The payload is no JSON object with unique members.
  case malformed
  /// A claim is missing or has the wrong type.
  case malformedClaim(String)
  case wrongType
  case wrongIssuer
  case wrongAudience
  case expired
  case notYetValid

  public var description: String {
    switch self {
    case .signature(let error): error.description
    case .malformed: "the claims are not a JSON object"
    case .malformedClaim(let name): "the claim '\(name)' is missing or malformed"
    case .wrongType: "the token is of another type"
    case .wrongIssuer: "the token comes from another issuer"
    case .wrongAudience: "the token is for another audience"
    case .expired: "the token has expired"
    case .notYetValid: "the token is not yet valid"
    }
  }
}
