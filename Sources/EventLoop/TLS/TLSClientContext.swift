import CLibSSL
import Glibc

/// The client side of TLS, shared by all loops. The peer's certificate is always verified, with the name or address that
/// was asked for; there is no way to switch it off.
public final class TLSClientContext: Sendable {
  private let context: TLSContext

  /// Reads the file; blocks.
  ///
  /// - Parameter authorities: PEM file of the only authorities that are trusted; nil: those of the system.
  public init(authorities: String? = nil) throws(TLSFailure) {
    context = TLSContext(TLS_client_method())
    if let authorities {
      try context.trust(fileAt: authorities)
    } else {
      guard SSL_CTX_set_default_verify_paths(context.pointer) == 1 else {
        throw .file(path: "the system's authorities", reason: TLSFailure.takeReason())
      }
    }
    SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
    postern_ssl_ctx_set_cache_mode(context.pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    SSL_CTX_sess_set_new_cb(context.pointer) { ssl, resumption in
      guard let ssl, let resumption, let cache = SSL_get_ex_data(ssl, 0) else { return 0 }
      // SAFETY: the session of `ssl` holds the cache and lives as long as `ssl`.
      Unmanaged<TLSSessionCache>.fromOpaque(cache).takeUnretainedValue().store(resumption)
      return 1
    }
  }

  /// - Parameters:
  ///   - descriptor: a non-blocking, connected socket, which stays the caller's.
  ///   - host: DNS name, or IP address without brackets: the certificate must be for it.
  ///   - protocols: what is offered, the best first.
  ///   - cache: of the server behind `host`.
  /// - Throws: `protocolError` when `host` is neither.
  ///
  /// Source: RFC 9525 §6 (the subject's common name is not looked at); RFC 6066 §3 (no address as server name).
  public func session(
    on descriptor: Int32, to host: String, offering protocols: [ApplicationProtocol] = [.http11],
    resuming cache: TLSSessionCache
  ) throws(TLSFailure) -> TLSSession {
    let session = TLSSession(context, descriptor: descriptor, cache: cache)
    let pointer = session.pointer
    SSL_set_connect_state(pointer)
    let offered = protocols.flatMap(\.listed)
    // Unlike its relatives this call returns 0 for success.
    precondition(SSL_set_alpn_protos(pointer, offered, UInt32(offered.count)) == 0, "no memory for ALPN")
    let parameters = SSL_get0_param(pointer)
    X509_VERIFY_PARAM_set_hostflags(
      parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
    // OpenSSL would stop at a zero byte and check another name.
    guard !host.isEmpty, !host.utf8.contains(0) else { throw .protocolError("not a host name") }
    TLSFailure.forgetOthers()
    let isSet: Bool
    if SocketAddress(literal: host, port: 0) != nil {
      isSet = X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1
    } else {
      isSet = X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1 && postern_ssl_set_server_name(pointer, host) == 1
    }
    guard isSet else { throw .protocolError("not a host name: \(TLSFailure.takeReason())") }
    if let resumption = cache.take() {
      SSL_set_session(pointer, resumption)
      SSL_SESSION_free(resumption)
    }
    return session
  }
}
