/// Why a JSON Web Key is not one we use.
public enum JWKError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Not JSON, or not the shape of a key or key set.
  case malformed(String)
  /// A member is missing or has the wrong form.
  case malformedMember(String)
  case unsupportedKeyType
  case unsupportedCurve
  /// `alg`, `use` or `key_ops` say that the key is for something else.
  case notForSignatures
  /// An RSA modulus outside 2048 to 8192 bits, or an exponent that is even, 1 or over 32 bits.
  case unacceptableRSAKey
  /// The numbers are no key: a point off the curve, or halves that do not belong together.
  case inconsistent
  /// A signing key was asked for, and there is no private half.
  case noPrivateKey

  public var description: String {
    switch self {
    case .malformed(let reason): "not a JSON Web Key: \(reason)"
    case .malformedMember(let name): "the key's member '\(name)' is missing or malformed"
    case .unsupportedKeyType: "the key type is none of EC, OKP and RSA"
    case .unsupportedCurve: "the curve is none of P-256, P-384 and Ed25519"
    case .notForSignatures: "the key is meant for another algorithm or use"
    case .unacceptableRSAKey: "the RSA key is outside 2048 to 8192 bits or has an unacceptable exponent"
    case .inconsistent: "the key's numbers do not form a key"
    case .noPrivateKey: "the key has no private half"
    }
  }
}
