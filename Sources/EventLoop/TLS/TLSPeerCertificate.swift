import CLibSSL

/// The certificate that a peer proved to hold the key of.
public struct TLSPeerCertificate: Sendable, Hashable {
  /// Its DER form.
  public let encoded: [UInt8]
  /// Those that the peer sent with it, in its order. Of a resumed session none: it keeps the peer's own only.
  public let chain: [[UInt8]]
  /// SHA-256 of its DER form, 32 bytes: `x5t#S256` before base64url. Source: RFC 8705 §3.1.
  public let fingerprint: [UInt8]
  /// The subject as a distinguished name. Source: RFC 2253 §2.
  public let subject: String

  init?(of session: OpaquePointer) {
    guard let certificate = SSL_get0_peer_certificate(session), let encoded = TLSPeerCertificate.encode(certificate) else {
      return nil
    }
    self.encoded = encoded
    let sent = SSL_get_peer_cert_chain(session)
    chain = (0..<(sent.map { postern_x509_chain_count($0) } ?? 0)).compactMap { index in
      postern_x509_chain_entry(sent, index).flatMap { TLSPeerCertificate.encode($0) }
    }.filter { $0 != encoded }
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1, let memory = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(memory) }
    fingerprint = Array(digest[..<Int(count)])
    guard postern_x509_print_subject(memory, certificate) >= 0 else { return nil }
    var text = [UInt8](repeating: 0, count: TLSPeerCertificate.subjectBytesMax)
    let length = BIO_read(memory, &text, Int32(text.count))
    subject = String(decoding: text.prefix(max(0, Int(length))), as: UTF8.self)
  }

  private static func encode(_ certificate: OpaquePointer) -> [UInt8]? {
    let count = i2d_X509(certificate, nil)
    guard count > 0 else { return nil }
    return [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
      // SAFETY: OpenSSL writes as many bytes as it has said, and moves only its own copy of the address.
      var start = buffer.baseAddress
      initialized = max(0, Int(i2d_X509(certificate, &start)))
    }
  }

  /// Longer subjects are cut.
  private static let subjectBytesMax = 2048
}
