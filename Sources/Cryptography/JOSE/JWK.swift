import JSON

/// A JSON Web Key for signatures. Source: RFC 7517.
///
/// The key type decides the algorithm. Private RSA members are not kept: Postern never signs with RSA.
public struct JWK: Sendable, Hashable {
  /// Numbers are big-endian; coordinates and private keys have their full 32 bytes.
  public enum Material: Sendable, Hashable {
    /// Source: RFC 7518 §6.2.
    case p256(x: [UInt8], y: [UInt8], d: Secret?)
    /// Source: RFC 8037 §2.
    case ed25519(x: [UInt8], d: Secret?)
    /// Source: RFC 7518 §6.3.1.
    case rsa(modulus: [UInt8], exponent: [UInt8])
  }

  /// `kid`; RFC 7517 §4.5 leaves its form to whoever makes the key.
  public let id: String?
  public let material: Material

  public init(id: String?, material: Material) {
    self.id = id
    self.material = material
  }

  public var algorithm: SignatureAlgorithm {
    switch material {
    case .p256: .es256
    case .ed25519: .edDSA
    case .rsa: .rs256
    }
  }

  /// The same key without its private half.
  var withoutPrivateKey: JWK {
    switch material {
    case .p256(let x, let y, _): JWK(id: id, material: .p256(x: x, y: y, d: nil))
    case .ed25519(let x, _): JWK(id: id, material: .ed25519(x: x, d: nil))
    case .rsa: self
    }
  }

  var privateKey: Secret? {
    switch material {
    case .p256(_, _, let d), .ed25519(_, let d): d
    case .rsa: nil
    }
  }

  /// SHA-256 over the required public members, in the order of their names. Source: RFC 7638 §3.
  var thumbprint: Digest256 { SHA256.digest(JSONObject(sorted: publicMembers).bytes) }

  /// The thumbprint as it is written in `kid` and `jkt`.
  var thumbprintText: String { Base64URL.encode(thumbprint.bytes) }
}

extension JSONObject {
  fileprivate init(sorted members: JSONObject) {
    self.init()
    for (name, value) in members.members.sorted(by: { $0.name < $1.name }) { self[name] = value }
  }
}
