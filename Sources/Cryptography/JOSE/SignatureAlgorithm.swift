/// The signatures we verify. Each key has exactly one, so a header can never choose.
///
/// `none` and the HMAC algorithms do not exist here: a token that names them has no algorithm.
/// Source: RFC 7518 §3.1; RFC 8037 §3.1; RFC 8725 §3.1.
public enum SignatureAlgorithm: String, Sendable, Hashable, CaseIterable {
  /// ECDSA on P-256 with SHA-256.
  case es256 = "ES256"
  /// ECDSA on P-384 with SHA-384.
  case es384 = "ES384"
  /// Ed25519.
  case edDSA = "EdDSA"
  /// RSASSA-PKCS1-v1_5.
  case rs256 = "RS256"
  case rs384 = "RS384"
  case rs512 = "RS512"
  /// RSASSA-PSS with SHA-256, for the mask too, and 32 bytes of salt. Source: RFC 7518 §3.5.
  case ps256 = "PS256"
}

/// The signatures we make. The rest is for tokens of others.
public enum SigningAlgorithm: String, Sendable, Hashable, CaseIterable {
  case es256 = "ES256"
  case edDSA = "EdDSA"

  /// The same algorithm, as a verifier sees it.
  public var signature: SignatureAlgorithm {
    switch self {
    case .es256: .es256
    case .edDSA: .edDSA
    }
  }
}
