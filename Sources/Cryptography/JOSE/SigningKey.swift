import COpenSSL

/// A private key with its one algorithm, ready to sign on any thread.
public final class SigningKey: Sendable {
  /// `kid` of what it signs.
  public let id: String
  public let algorithm: SigningAlgorithm
  /// Both halves; for sealing into the store.
  public let jwk: JWK
  private let handle: KeyHandle

  /// - Parameter jwk: without `kid`, the thumbprint becomes the id (RFC 7638 §1).
  /// - Throws: `JWKError` when there is no private half, it does not fit the public half, or the key is RSA or on P-384.
  public init(_ jwk: JWK) throws(JWKError) {
    switch jwk.material {
    case .p256: algorithm = .es256
    case .ed25519: algorithm = .edDSA
    case .p384, .rsa: throw .noPrivateKey
    }
    handle = try KeyHandle(jwk, withPrivateKey: true)
    id = jwk.id ?? jwk.thumbprintText
    self.jwk = JWK(id: id, material: jwk.material)
  }

  private init(id: String?, algorithm: SigningAlgorithm, handle: KeyHandle) {
    let material = handle.material(algorithm)
    self.id = id ?? JWK(id: nil, material: material).thumbprintText
    self.algorithm = algorithm
    self.handle = handle
    jwk = JWK(id: self.id, material: material)
  }

  /// Makes a new key pair.
  ///
  /// - Parameter id: nil: the thumbprint.
  public static func generate(_ algorithm: SigningAlgorithm, id: String? = nil) -> SigningKey {
    SigningKey(id: id, algorithm: algorithm, handle: .generate(algorithm))
  }

  /// What others need to verify.
  public var publicJWK: JWK { jwk.withoutPrivateKey }

  /// - Returns: 64 bytes: r ‖ s for ES256, R ‖ S for EdDSA.
  public func sign(_ message: [UInt8]) -> [UInt8] {
    let context = required(EVP_MD_CTX_new())
    defer { EVP_MD_CTX_free(context) }
    // Ed25519 digests by itself.
    let digest = algorithm == .es256 ? Algorithms.sha256 : nil
    require(EVP_DigestSignInit(context, nil, digest, nil, handle.pointer), "EVP_DigestSignInit")
    // The longest DER form of a P-256 signature.
    var signature = [UInt8](repeating: 0, count: 72)
    var count = signature.count
    require(EVP_DigestSign(context, &signature, &count, message, message.count), "EVP_DigestSign")
    signature.removeLast(signature.count - count)
    return algorithm == .es256 ? ECDSASignature.raw(der: signature) : signature
  }
}
