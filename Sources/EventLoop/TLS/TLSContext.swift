import CLibSSL

/// An OpenSSL context with what both sides have in common. Not changed once sessions are made from it.
final class TLSContext: @unchecked Sendable {
  // SAFETY: `pointer` is set up by the one who makes it and only read afterwards; OpenSSL counts references to contexts
  // atomically and lets threads make sessions from one context at the same time.
  let pointer: OpaquePointer

  /// TLS 1.2 with forward secrecy and authenticated encryption only. Source: RFC 9325 §4.2.
  private static let cipherList = "ECDHE+AESGCM:ECDHE+CHACHA20"
  private static let groups = "X25519:P-256:P-384"
  /// 112 bits at least.
  private static let securityLevel: Int32 = 2
  /// Bytes taken from a socket at once: four full records.
  private static let readBufferBytes = 64 << 10

  /// - Parameter method: of a server or of a client.
  init(_ method: OpaquePointer) {
    guard let pointer = SSL_CTX_new(method) else { preconditionFailure("no TLS context: \(TLSFailure.takeReason())") }
    self.pointer = pointer
    // Source: RFC 9325 §3.1: TLS 1.0 and 1.1 are not negotiated; §3.3 no compression.
    let isSet =
      postern_ssl_ctx_set_versions(pointer, TLS1_2_VERSION, TLS1_3_VERSION) == 1
      && SSL_CTX_set_cipher_list(pointer, TLSContext.cipherList) == 1
      && postern_ssl_ctx_set_groups(pointer, TLSContext.groups) == 1
    precondition(isSet, "OpenSSL does not know the ciphers: \(TLSFailure.takeReason())")
    SSL_CTX_set_security_level(pointer, TLSContext.securityLevel)
    postern_ssl_ctx_set_mode(pointer)
    postern_ssl_ctx_set_options(pointer)
    postern_ssl_ctx_set_read_ahead(pointer)
    SSL_CTX_set_default_read_buffer_len(pointer, TLSContext.readBufferBytes)
    // Without it OpenSSL asks for the passphrase of a key on the terminal.
    SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
  }

  deinit { SSL_CTX_free(pointer) }

  /// Trusts the authorities in a PEM file.
  func trust(fileAt path: String) throws(TLSFailure) {
    TLSFailure.forgetOthers()
    guard SSL_CTX_load_verify_file(pointer, path) == 1 else {
      throw .file(path: path, reason: "no certificates of authorities can be read: \(TLSFailure.takeReason())")
    }
  }
}
