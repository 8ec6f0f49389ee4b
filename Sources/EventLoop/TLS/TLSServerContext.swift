import CLibSSL

/// What a TLS listener is: its certificates, and whom it asks for one.
public struct TLSServerSettings: Sendable, Hashable {
  public enum ClientAuthentication: String, Sendable, CaseIterable {
    /// A certificate is asked for; clients without one are served.
    case optional
    /// Clients without a certificate are refused.
    case required
  }

  public struct CertificateFiles: Sendable, Hashable {
    /// PEM file: the server's certificate, then those that lead to its authority.
    public var certificate: String
    /// PEM file, without passphrase.
    public var key: String

    public init(certificate: String, key: String) {
      self.certificate = certificate
      self.key = key
    }
  }

  /// What clients get that ask for no name that one of the others has.
  public var certificate: CertificateFiles
  /// Chosen by the name that a client asks for.
  public var otherCertificates: [CertificateFiles]
  /// PEM file with the authorities of clients; nil: clients are not asked.
  public var clientAuthorities: String?
  /// Without meaning as long as there are no authorities.
  public var clientAuthentication: ClientAuthentication

  public init(
    certificate: String, key: String, otherCertificates: [CertificateFiles] = [], clientAuthorities: String? = nil,
    clientAuthentication: ClientAuthentication = .required
  ) {
    self.certificate = CertificateFiles(certificate: certificate, key: key)
    self.otherCertificates = otherCertificates
    self.clientAuthorities = clientAuthorities
    self.clientAuthentication = clientAuthentication
  }

  /// Everything that is read from disk.
  public var files: [String] {
    ([certificate] + otherCertificates).flatMap { [$0.certificate, $0.key] } + (clientAuthorities.map { [$0] } ?? [])
  }
}

/// The server side of TLS for one listener, shared by all loops. Sessions are resumed by tickets, so the server remembers
/// none; their keys are made with the context and go with it. Source: RFC 5077; RFC 8446 §4.6.1.
public final class TLSServerContext: Sendable {
  private let context: TLSContext
  /// nil: there is one certificate.
  private let chooser: TLSCertificateChooser?

  /// Reads the files; blocks.
  ///
  /// - Throws: `file` when one cannot be read, certificate and key do not match, or a certificate is for nobody who could
  ///   ask for it.
  public init(_ settings: TLSServerSettings) throws(TLSFailure) {
    context = try TLSServerContext.context(settings, with: settings.certificate)
    var contexts = [context]
    for files in settings.otherCertificates {
      let other = try TLSServerContext.context(settings, with: files)
      guard !TLSServedNames(of: SSL_CTX_get0_certificate(other.pointer)).isEmpty else {
        throw .file(path: files.certificate, reason: "the certificate names no host (subjectAltName), so nobody would get it")
      }
      contexts.append(other)
    }
    chooser = contexts.count > 1 ? TLSCertificateChooser(contexts) : nil
  }

  private static func context(
    _ settings: TLSServerSettings, with files: TLSServerSettings.CertificateFiles
  ) throws(TLSFailure) -> TLSContext {
    let context = TLSContext(TLS_server_method())
    TLSFailure.forgetOthers()
    guard SSL_CTX_use_certificate_chain_file(context.pointer, files.certificate) == 1 else {
      throw .file(path: files.certificate, reason: "no certificate can be read: \(TLSFailure.takeReason())")
    }
    // Also checks that it belongs to the certificate.
    guard SSL_CTX_use_PrivateKey_file(context.pointer, files.key, SSL_FILETYPE_PEM) == 1 else {
      throw .file(path: files.key, reason: "no key of the certificate can be read: \(TLSFailure.takeReason())")
    }
    guard SSL_CTX_check_private_key(context.pointer) == 1 else {
      throw .file(path: files.key, reason: "not the key of the certificate: \(TLSFailure.takeReason())")
    }
    if let authorities = settings.clientAuthorities {
      try context.trust(fileAt: authorities)
      guard let names = SSL_load_client_CA_file(authorities) else {
        throw .file(path: authorities, reason: TLSFailure.takeReason())
      }
      SSL_CTX_set_client_CA_list(context.pointer, names)
      let must = settings.clientAuthentication == .required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
      SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER | must, nil)
    }
    postern_ssl_ctx_set_cache_mode(context.pointer, Int(SSL_SESS_CACHE_OFF))
    // Resumption together with client certificates needs a name for what the session was made for.
    let name = Array("postern".utf8)
    SSL_CTX_set_session_id_context(context.pointer, name, UInt32(name.count))
    SSL_CTX_set_alpn_select_cb(context.pointer, TLSServerContext.selectProtocol, nil)
    return context
  }

  /// - Parameter descriptor: a non-blocking, connected socket, which stays the caller's.
  public func session(on descriptor: Int32) -> TLSSession {
    let session = TLSSession(context, descriptor: descriptor, chooser: chooser)
    SSL_set_accept_state(session.pointer)
    return session
  }

  /// The best first.
  private static let protocols: [[UInt8]] = [ApplicationProtocol.http2.listed, ApplicationProtocol.http11.listed]

  /// A client that offers only protocols that are not spoken here is refused. Source: RFC 7301 §3.2.
  private static let selectProtocol: SSL_CTX_alpn_select_cb_func = { _, selected, selectedCount, offered, offeredCount, _ in
    guard let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    // SAFETY: OpenSSL has checked the list's framing and keeps it until after this call.
    let list = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    for known in TLSServerContext.protocols {
      var start = 0
      while start < list.count {
        let end = min(start + 1 + Int(list[start]), list.count)
        if list[start..<end].elementsEqual(known) {
          selected?.pointee = offered + start + 1
          selectedCount?.pointee = list[start]
          return SSL_TLSEXT_ERR_OK
        }
        start = end
      }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }
}
