import JSON

/// A JSON Web Key for signatures. Source: RFC 7517.
///
/// A key has one algorithm: that of its type, or for RSA the one that it names. Private members of RSA and P-384 keys are
/// not kept: Postern never signs with those. Source: RFC 8725 §3.1.
public struct JWK: Sendable, Hashable {
  /// Numbers are big-endian; coordinates and private keys have their full 32 bytes, those of P-384 48.
  public enum Material: Sendable, Hashable {
    /// Source: RFC 7518 §6.2.
    case p256(x: [UInt8], y: [UInt8], d: Secret?)
    /// Source: RFC 7518 §6.2.
    case p384(x: [UInt8], y: [UInt8])
    /// Source: RFC 8037 §2.
    case ed25519(x: [UInt8], d: Secret?)
    /// Source: RFC 7518 §6.3.1.
    case rsa(modulus: [UInt8], exponent: [UInt8])

    /// Those that a key of this type may name, the one of a key that names none first.
    var algorithms: [SignatureAlgorithm] {
      switch self {
      case .p256: [.es256]
      case .p384: [.es384]
      case .ed25519: [.edDSA]
      case .rsa: [.rs256, .rs384, .rs512, .ps256]
      }
    }
  }

  /// `kid`; RFC 7517 §4.5 leaves its form to whoever makes the key.
  public let id: String?
  public let material: Material
  public let algorithm: SignatureAlgorithm

  public init(id: String?, material: Material) { self.init(id: id, material: material, algorithm: material.algorithms[0]) }

  init(id: String?, material: Material, algorithm: SignatureAlgorithm) {
    self.id = id
    self.material = material
    self.algorithm = algorithm
  }

  /// The same key without its private half.
  var withoutPrivateKey: JWK {
    switch material {
    case .p256(let x, let y, _): JWK(id: id, material: .p256(x: x, y: y, d: nil))
    case .ed25519(let x, _): JWK(id: id, material: .ed25519(x: x, d: nil))
    case .p384, .rsa: self
    }
  }

  var privateKey: Secret? {
    switch material {
    case .p256(_, _, let d), .ed25519(_, let d): d
    case .p384, .rsa: nil
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
