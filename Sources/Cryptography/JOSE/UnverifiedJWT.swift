import JSON

/// A compact JWT taken apart, to find out who may have signed it. Nothing in it may be believed before `verify`.
public struct UnverifiedJWT: Sendable {
  public let claims: JSONObject
  private let jws: CompactJWS

  /// - Throws: `malformed` for what is no compact JWS with two JSON objects, each with unique members.
  public init(_ compact: [UInt8]) throws(JWSError) {
    jws = try CompactJWS(compact)
    guard let claims = try? JSON(parsing: jws.payload).object else { throw .malformed }
    self.claims = claims
  }

  /// Whether a text is meant as a compact JWS, well-formed or not: three parts, the first of which encodes the beginning
  /// of a JSON object. Source: RFC 7515 §3.1.
  public static func isMeant(by text: [UInt8]) -> Bool {
    let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Base64URL.decode(parts[0]) else { return false }
    return header.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == UInt8(ascii: "{")
  }

  /// `iss`, as the token says.
  public var issuer: String? { claims["iss"]?.string }

  /// `typ` of the header, as the token says.
  public var type: String? { jws.headerMembers["typ"]?.string }

  /// The algorithm; nil: none of `SignatureAlgorithm`.
  public var algorithm: SignatureAlgorithm? { jws.headerMembers["alg"]?.string.flatMap(SignatureAlgorithm.init(rawValue:)) }

  /// Verifies the signature; the claims are the caller's to judge.
  ///
  /// - Returns: the thumbprint of the key that made it.
  /// - Throws: `JWSError`, by the first check that fails: algorithm, `crit`, key, signature.
  public func verify(with keys: VerificationKeySet) throws(JWSError) -> Digest256 {
    try jws.verify(try jws.header, with: keys).thumbprint
  }
}
