/// Why a compact JWS is refused.
public enum JWSError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Not three parts of canonical base64url, too long, or the header is no JSON object with unique members.
  case malformed
  /// `alg` is absent or none of `SignatureAlgorithm`; `none` and HMAC end here.
  case unsupportedAlgorithm
  /// `crit` is present: it demands extensions, and we have none.
  case criticalHeader
  /// No key of that algorithm and id. Reading the issuer's key set again may help.
  case unknownKey(id: String?)
  case badSignature

  public var description: String {
    switch self {
    case .malformed: "not a compact JWS"
    case .unsupportedAlgorithm: "the signature algorithm is none of \(SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", "))"
    case .criticalHeader: "the header demands an extension (crit)"
    case .unknownKey: "no key of this algorithm and id is known"
    case .badSignature: "the signature does not verify"
    }
  }
}
