import CLibSSL

/// The certificate that a peer proved to hold the key of.
public struct TLSPeerCertificate: Sendable, Hashable {
  /// SHA-256 of its DER form, 32 bytes: `x5t#S256` before base64url. Source: RFC 8705 §3.1.
  public let fingerprint: [UInt8]
  /// The subject as a distinguished name. Source: RFC 2253 §2.
  public let subject: String

  init?(of session: OpaquePointer) {
    guard let certificate = SSL_get0_peer_certificate(session) else { return nil }
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

  /// Longer subjects are cut.
  private static let subjectBytesMax = 2048
}
