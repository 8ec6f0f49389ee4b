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
    guard let signature = algorithm == .es256 ? ECDSASignature.der(raw: signature) : signature else { return false }
    let context = required(EVP_MD_CTX_new())
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    let digest = algorithm == .edDSA ? nil : Algorithms.sha256
    require(EVP_DigestVerifyInit(context, nil, digest, nil, handle.pointer), "EVP_DigestVerifyInit")
    return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
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
