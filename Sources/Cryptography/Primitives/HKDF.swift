import COpenSSL

/// HKDF with SHA-256: one secret made into many that tell nothing of each other. Source: RFC 5869.
public enum HKDF {
  /// - Parameters:
  ///   - info: what the derived secret is for; different texts give independent secrets.
  ///   - salt: optional; empty stands for 32 zero bytes (RFC 5869 §2.2).
  ///   - byteCount: 1 to 8160 (255 digests, RFC 5869 §2.3).
  public static func derive(from secret: Secret, info: String, salt: [UInt8] = [], byteCount: Int) -> Secret {
    derive(from: secret, info: Array(info.utf8), salt: salt, byteCount: byteCount)
  }

  static func derive(from secret: Secret, info: [UInt8], salt: [UInt8], byteCount: Int) -> Secret {
    precondition((1...255 * 32).contains(byteCount), "HKDF-SHA256 gives 1 to 8160 bytes")
    var parameters = Parameters()
    parameters.add("digest", text: "SHA256")
    parameters.add("key", octets: secret.exposedBytes)
    if !salt.isEmpty { parameters.add("salt", octets: salt) }
    parameters.add("info", octets: info)
    let derived = deriveKey(Algorithms.hkdf, parameters, byteCount: byteCount)
    guard let derived else { preconditionFailure("libcrypto failed in HKDF: out of memory or a broken installation") }
    return Secret(bytes: derived)
  }
}

/// Runs a key derivation function; nil when it refuses its parameters or lacks memory.
func deriveKey(_ algorithm: OpaquePointer, _ parameters: borrowing Parameters, byteCount: Int) -> [UInt8]? {
  let context = required(EVP_KDF_CTX_new(algorithm))
  defer { EVP_KDF_CTX_free(context) }
  var output = [UInt8](repeating: 0, count: byteCount)
  let status = parameters.withList { EVP_KDF_derive(context, &output, byteCount, $0) }
  guard status == 1 else {
    ERR_clear_error()
    return nil
  }
  return output
}
