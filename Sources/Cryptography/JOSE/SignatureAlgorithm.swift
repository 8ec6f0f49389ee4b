/// The signatures we verify. Each key type has exactly one, so a header can never choose.
///
/// `none` and the HMAC algorithms do not exist here: a token that names them has no algorithm.
/// Source: RFC 7518 §3.1; RFC 8037 §3.1; RFC 8725 §3.1.
public enum SignatureAlgorithm: String, Sendable, Hashable, CaseIterable {
  /// ECDSA on P-256 with SHA-256.
  case es256 = "ES256"
  /// Ed25519.
  case edDSA = "EdDSA"
  /// RSASSA-PKCS1-v1_5 with SHA-256.
  case rs256 = "RS256"
}

/// The signatures we make. RS256 is for tokens of others.
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
