import Cryptography
import JSON

/// Who may present an access token, beside having it. It stands among the token's claims, so that it goes with the token
/// whatever its format, through introspection too.
///
/// Source: RFC 8705 §3; RFC 7800 §3.
public enum SenderConstraint: Sendable, Hashable {
  /// Whoever has the token.
  case bearer
  /// Who proves to hold the key of the certificate with this SHA-256 digest of its DER form.
  case certificate(Digest256)
  /// A confirmation that is not understood here, so nobody.
  case unknown

  static let claim = "cnf"
  private static let certificateMember = "x5t#S256"

  /// What the claims of a token, or an answer about it, say.
  public init(_ claims: JSONObject) {
    guard let confirmation = claims[Self.claim] else {
      self = .bearer
      return
    }
    // One member: whatever else it may ask for would go unchecked.
    guard let members = confirmation.object, members.members.count == 1,
      let text = members[Self.certificateMember]?.string, let bytes = Base64URL.decode(text),
      let digest = Digest256(bytes: bytes)
    else {
      self = .unknown
      return
    }
    self = .certificate(digest)
  }

  /// - Parameter certificate: in DER.
  public init(certificate: [UInt8]) { self = .certificate(SHA256.digest(certificate)) }

  /// The claims with this constraint and no other: what a grant says about it does not count.
  public func replaced(in claims: JSONObject) -> JSONObject {
    var replaced = JSONObject()
    for (name, value) in claims.members where name != Self.claim { replaced[name] = value }
    if case .certificate(let digest) = self {
      replaced[Self.claim] = [Self.certificateMember: .string(Base64URL.encode(digest.bytes))]
    }
    return replaced
  }
}

extension TokenFacts {
  public var constraint: SenderConstraint { SenderConstraint(authorization.claims) }
}
