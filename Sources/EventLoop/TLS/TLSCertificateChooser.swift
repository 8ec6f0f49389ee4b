import CLibSSL

/// The certificates of a listener that has several: which one a client gets, by the name that it asks for.
///
/// A name in so many words comes before a wildcard, an earlier certificate before a later one. Who asks for none, or for
/// one that no certificate has, gets the first.
///
/// Source: RFC 6066 §3.
final class TLSCertificateChooser: Sendable {
  private struct Served {
    let context: TLSContext
    let names: TLSServedNames
  }

  private let served: [Served]

  /// - Parameter contexts: at least one. Each has its certificate, and they differ in nothing else.
  init(_ contexts: [TLSContext]) {
    served = contexts.map { context in
      Served(context: context, names: TLSServedNames(of: SSL_CTX_get0_certificate(context.pointer)))
    }
    // SAFETY: OpenSSL hands the address back while a session makes its handshake, and sessions keep the chooser.
    postern_ssl_ctx_set_servername_callback(
      contexts[0].pointer, TLSCertificateChooser.choose, Unmanaged.passUnretained(self).toOpaque())
  }

  /// nil: the first one's.
  private func context(for name: String) -> TLSContext? {
    let name = name.lowercased()
    return (served.first { $0.names.has(host: name) } ?? served.first { $0.names.hasDomain(of: name) })?.context
  }

  /// Whom the certificate is for that a session was made with.
  func names(of session: OpaquePointer) -> TLSServedNames {
    let context = SSL_get_SSL_CTX(session)
    return (served.first { $0.context.pointer == context } ?? served[0]).names
  }

  private static let choose: @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = {
    session, _, argument in
    guard let session, let argument, let name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name) else {
      return SSL_TLSEXT_ERR_NOACK
    }
    // SAFETY: set in `init`; see there.
    let chooser = Unmanaged<TLSCertificateChooser>.fromOpaque(argument).takeUnretainedValue()
    guard let context = chooser.context(for: String(cString: name)) else { return SSL_TLSEXT_ERR_NOACK }
    SSL_set_SSL_CTX(session, context.pointer)
    return SSL_TLSEXT_ERR_OK
  }
}
