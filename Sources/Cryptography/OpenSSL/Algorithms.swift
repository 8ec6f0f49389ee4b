import COpenSSL

/// The algorithms we use, fetched from the provider once per process: an explicit fetch per call costs more than a digest.
///
/// No function of this module leaves a note in the thread's OpenSSL error queue: TLS on the same thread reads it
/// (SSL_get_error(3)) and would take the note for its own failure.
///
/// Source: OpenSSL 3 crypto(7), "Explicit fetching" and "Performance".
enum Algorithms {
  // SAFETY: fetched algorithm objects are immutable and reference counted; they are kept for the life of the process and
  // may be used from any thread.
  nonisolated(unsafe) static let sha256: OpaquePointer = required(EVP_MD_fetch(nil, "SHA256", nil))
  nonisolated(unsafe) static let sha384: OpaquePointer = required(EVP_MD_fetch(nil, "SHA384", nil))
  nonisolated(unsafe) static let sha512: OpaquePointer = required(EVP_MD_fetch(nil, "SHA512", nil))
  nonisolated(unsafe) static let aes256GCM: OpaquePointer = required(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))
  nonisolated(unsafe) static let hmac: OpaquePointer = required(EVP_MAC_fetch(nil, "HMAC", nil))
  nonisolated(unsafe) static let hkdf: OpaquePointer = required(EVP_KDF_fetch(nil, "HKDF", nil))
  nonisolated(unsafe) static let scrypt: OpaquePointer = required(EVP_KDF_fetch(nil, "SCRYPT", nil))
}

/// An object that libcrypto can only fail to give when memory or the installation is broken.
func required(_ object: OpaquePointer?) -> OpaquePointer {
  guard let object else { preconditionFailure("libcrypto lacks an algorithm or memory: is OpenSSL 3 installed whole?") }
  return object
}

/// A call that can only fail when memory or the installation is broken.
@inline(__always)
func require(_ status: Int32, _ call: StaticString) {
  precondition(status == 1, "libcrypto failed in \(call): out of memory or a broken installation")
}
