import COpenSSL

/// Whom an X.509 certificate is for. Not who vouches for that: whoever shows it was verified before.
public struct Certificate: Sendable {
  public let names: Set<CertificateName>

  /// - Parameter der: nil unless it is exactly one certificate.
  public init?(der: [UInt8]) {
    defer { ERR_clear_error() }
    // SAFETY: libcrypto reads at most `der.count` bytes, and moves only its own copy of the address.
    let (parsed, taken) = der.withUnsafeBufferPointer { der in
      var start = der.baseAddress
      let parsed = d2i_X509(nil, &start, der.count)
      return (parsed, start.map { $0 - (der.baseAddress ?? $0) })
    }
    guard let certificate = parsed else { return nil }
    defer { X509_free(certificate) }
    guard taken == der.count, let subject = Certificate.subject(of: certificate) else { return nil }
    names = Set(Certificate.alternativeNames(of: certificate) + (subject.isEmpty ? [] : [.subject(subject)]))
  }

  private static func subject(of certificate: OpaquePointer) -> String? {
    let memory = required(BIO_new(BIO_s_mem()))
    defer { BIO_free(memory) }
    guard postern_certificate_print_subject(memory, certificate) >= 0 else { return nil }
    var text = [UInt8](repeating: 0, count: BIO_ctrl_pending(memory))
    guard !text.isEmpty else { return "" }
    let count = BIO_read(memory, &text, Int32(text.count))
    return count == text.count ? String(decoding: text, as: UTF8.self) : nil
  }

  private static func alternativeNames(of certificate: OpaquePointer) -> [CertificateName] {
    guard let names = postern_certificate_names(certificate) else { return [] }
    defer { GENERAL_NAMES_free(names) }
    return (0..<postern_certificate_name_count(names)).compactMap { index in
      var bytes: UnsafePointer<UInt8>?
      var count: Int32 = 0
      let kind = postern_certificate_name(names, index, &bytes, &count)
      // SAFETY: libcrypto keeps `count` bytes there until the names are freed; none where the kind is another.
      let value = UnsafeBufferPointer(start: bytes, count: Int(count))
      let text = String(decoding: value, as: UTF8.self)
      return switch kind {
      case GEN_DNS: .dns(text.lowercased())
      case GEN_URI: .uri(text)
      case GEN_EMAIL: .email(text)
      case GEN_IPADD: .address(Array(value))
      default: nil
      }
    }
  }
}

/// One of the names that a certificate has. Source: RFC 5280 §4.1.2.6, §4.2.1.6.
public enum CertificateName: Sendable, Hashable {
  /// The subject's distinguished name, as `openssl x509 -subject -nameopt RFC2253` prints it. Source: RFC 4514.
  case subject(String)
  /// In lower case.
  case dns(String)
  case uri(String)
  case email(String)
  /// 4 or 16 bytes.
  case address([UInt8])

  /// - Parameter address: nil unless it is an IPv4 or IPv6 address.
  public init?(address: String) {
    guard let octets = a2i_IPADDRESS(address) else {
      ERR_clear_error()
      return nil
    }
    defer { ASN1_OCTET_STRING_free(octets) }
    // SAFETY: libcrypto keeps that many bytes there until the string is freed.
    let bytes = UnsafeBufferPointer(start: ASN1_STRING_get0_data(octets), count: Int(ASN1_STRING_length(octets)))
    self = .address(Array(bytes))
  }
}
