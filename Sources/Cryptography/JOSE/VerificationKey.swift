import COpenSSL

/// A public key with its one algorithm, ready to verify on any thread.
final class VerificationKey: Sendable {
  let id: String?
  let algorithm: SignatureAlgorithm
  /// Source: RFC 7638.
  let thumbprint: Digest256
  private let handle: KeyHandle

  /// - Throws: `JWKError` for a point off the curve or an unacceptable RSA key.
  init(_ jwk: JWK) throws(JWKError) {
    handle = try KeyHandle(jwk, withPrivateKey: false)
    id = jwk.id
    algorithm = jwk.algorithm
    thumbprint = jwk.thumbprint
  }

  /// - Parameter signature: as JOSE writes it; any bytes.
  func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    guard let signature = algorithm.signature(fromJOSE: signature) else { return false }
    let context = required(EVP_MD_CTX_new())
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    // Of the key's own, and freed with it.
    var operation: OpaquePointer?
    require(EVP_DigestVerifyInit(context, &operation, algorithm.digest, nil, handle.pointer), "EVP_DigestVerifyInit")
    if algorithm == .ps256 {
      require(EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING), "EVP_PKEY_CTX_set_rsa_padding")
      require(EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, RSA_PSS_SALTLEN_DIGEST), "EVP_PKEY_CTX_set_rsa_pss_saltlen")
    }
    return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

extension SignatureAlgorithm {
  /// nil: Ed25519 digests by itself.
  fileprivate var digest: OpaquePointer? {
    switch self {
    case .edDSA: nil
    case .es256, .rs256, .ps256: Algorithms.sha256
    case .es384, .rs384: Algorithms.sha384
    case .rs512: Algorithms.sha512
    }
  }

  /// A signature as libcrypto takes it; nil when it has the wrong length.
  fileprivate func signature(fromJOSE signature: [UInt8]) -> [UInt8]? {
    switch self {
    case .es256: ECDSASignature.der(raw: signature, numberByteCount: 32)
    case .es384: ECDSASignature.der(raw: signature, numberByteCount: 48)
    case .edDSA, .rs256, .rs384, .rs512, .ps256: signature
    }
  }
}

/// The keys that one issuer's signatures may come from.
public struct VerificationKeySet: Sendable {
  let keys: [VerificationKey]

  init(keys: [VerificationKey]) { self.keys = keys }

  /// Leaves out keys that are none (`JWKError`): one bad key must not take the issuer's others down.
  public init(_ set: JWKSet) {
    keys = set.keys.compactMap { try? VerificationKey($0) }
  }

  /// What the keys are called by, whatever their `kid`. Source: RFC 7638.
  public var thumbprints: Set<Digest256> { Set(keys.map(\.thumbprint)) }

  /// - Returns: thumbprints of keys that were published before and are not any more.
  public func withdrawn(from old: VerificationKeySet?) -> Set<Digest256> {
    (old?.thumbprints ?? []).subtracting(thumbprints)
  }

  public var isEmpty: Bool { keys.isEmpty }

  /// Keys that may have made a signature: those of the algorithm, and of the id when the header names one.
  func candidates(id: String?, algorithm: SignatureAlgorithm) -> [VerificationKey] {
    keys.filter { key in key.algorithm == algorithm && (id == nil || key.id == id) }
  }
}
