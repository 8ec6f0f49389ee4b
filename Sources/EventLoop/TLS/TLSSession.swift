import CLibSSL

/// TLS over one non-blocking socket. Owns OpenSSL's state, not the descriptor; confined to the loop of its connection.
///
/// Handshake first, then `read` and `write`; after a failure nothing but freeing it.
public final class TLSSession {
  enum Handshake {
    case done
    /// The socket has to become readable or writable.
    case pending
    case failed(TLSFailure)
  }

  enum Read {
    /// - isDrained: neither OpenSSL nor, as far as is known, the socket has more.
    case bytes(Int, isDrained: Bool)
    case pending
    /// Not even reading goes on before the socket can be written to: an answer of the protocol's own is due.
    case awaitsWritable
    /// The peer's close_notify: what it sent is complete.
    case end
    /// Also an end without close_notify, which anyone on the way could have brought about. Source: RFC 8446 §6.1.
    case failed
  }

  let pointer: OpaquePointer
  // SAFETY: allocated in `init`, freed in `deinit` after OpenSSL's state that refers to it.
  private let socket: UnsafeMutablePointer<TLSSocket>
  /// Keeps alive what OpenSSL has the address of.
  private let cache: TLSSessionCache?
  private let chooser: TLSCertificateChooser?
  private var hasFailed = false
  /// What the last bytes of a read were followed by.
  private var followUp: Read?

  init(
    _ context: TLSContext, descriptor: Int32, cache: TLSSessionCache? = nil, chooser: TLSCertificateChooser? = nil
  ) {
    socket = .allocate(capacity: 1)
    socket.initialize(to: TLSSocket(descriptor: descriptor))
    guard let pointer = SSL_new(context.pointer), let bio = TLSSocket.makeBIO(socket) else { fatalError("out of memory") }
    self.pointer = pointer
    self.cache = cache
    self.chooser = chooser
    SSL_set_bio(pointer, bio, bio)
    if let cache { SSL_set_ex_data(pointer, 0, Unmanaged.passUnretained(cache).toOpaque()) }
  }

  deinit {
    // OpenSSL takes a connection that ended without close_notify for a reason not to resume its session. A failure is one,
    // a peer or a deadline that ended the connection is not. Source: RFC 5246 §7.2.1.
    if !hasFailed { SSL_set_shutdown(pointer, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
    SSL_free(pointer)
    socket.deallocate()
  }

  // MARK: Handshake

  func handshake() -> Handshake {
    guard !hasFailed else { return .failed(.connectionLost) }
    TLSFailure.forgetOthers()
    let status = SSL_do_handshake(pointer)
    if status == 1 { return .done }
    switch SSL_get_error(pointer, status) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .pending
    default:
      hasFailed = true
      let reason = TLSFailure.takeReason()
      let verdict = SSL_get_verify_result(pointer)
      if verdict != Int(X509_V_OK) {
        return .failed(.certificate(String(cString: X509_verify_cert_error_string(verdict))))
      }
      return .failed(socket.pointee.hasEnded ? .connectionLost : .protocolError(reason))
    }
  }

  // MARK: Bytes

  /// Reads records until the buffer is full or none is left, so that few large pieces go on instead of many small ones.
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Read {
    if let followUp {
      self.followUp = nil
      return followUp
    }
    // What an earlier reception found says nothing any more: bytes may have come, and their event has been reported.
    socket.pointee.isDrained = false
    var filled = 0
    while filled < buffer.count {
      let step = readRecord(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
      if case .bytes(let count, let isDrained) = step {
        filled += count
        if isDrained { return .bytes(filled, isDrained: true) }
      } else if filled == 0 {
        return step
      } else if case .pending = step {
        return .bytes(filled, isDrained: true)
      } else {
        followUp = step
        break
      }
    }
    return .bytes(filled, isDrained: false)
  }

  private func readRecord(into buffer: UnsafeMutableRawBufferPointer) -> Read {
    guard !hasFailed else { return .failed }
    TLSFailure.forgetOthers()
    var count = 0
    let status = SSL_read_ex(pointer, buffer.baseAddress, buffer.count, &count)
    if status == 1 { return .bytes(count, isDrained: socket.pointee.isDrained && SSL_has_pending(pointer) == 0) }
    switch SSL_get_error(pointer, status) {
    case SSL_ERROR_WANT_READ: return .pending
    case SSL_ERROR_WANT_WRITE: return .awaitsWritable
    case SSL_ERROR_ZERO_RETURN: return .end
    default:
      fail()
      return .failed
    }
  }

  /// - Returns: how many bytes became records in the kernel's hands; the same bytes have to come first in the next call if
  ///   they were not all. nil when the connection is broken.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var sent = 0
    while sent < bytes.count {
      guard !hasFailed else { return nil }
      TLSFailure.forgetOthers()
      var count = 0
      let status = SSL_write_ex(pointer, bytes.baseAddress.map { $0 + sent }, bytes.count &- sent, &count)
      if status == 1 {
        sent &+= count
        continue
      }
      switch SSL_get_error(pointer, status) {
      case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return sent
      default:
        fail()
        return nil
      }
    }
    return sent
  }

  /// Whether bytes of the peer wait here, decrypted or not.
  var hasPending: Bool { followUp != nil || SSL_has_pending(pointer) == 1 }

  // MARK: End

  /// Sends close_notify: what was sent is complete. Source: RFC 8446 §6.1.
  ///
  /// - Returns: false when the socket did not take it; to be called again once it is writable.
  func sendCloseNotify() -> Bool {
    guard !hasFailed, SSL_is_init_finished(pointer) == 1, SSL_get_shutdown(pointer) & SSL_SENT_SHUTDOWN == 0 || mustRepeatEnd
    else { return true }
    TLSFailure.forgetOthers()
    let status = SSL_shutdown(pointer)
    mustRepeatEnd = status < 0 && SSL_get_error(pointer, status) == SSL_ERROR_WANT_WRITE
    if status < 0, !mustRepeatEnd { fail() }
    return !mustRepeatEnd
  }

  private var mustRepeatEnd = false

  private func fail() {
    hasFailed = true
    ERR_clear_error()
  }

  // MARK: Facts, once the handshake is done

  /// Whether it goes on with the secrets of an earlier session.
  public var isResumed: Bool { SSL_session_reused(pointer) == 1 }

  /// `TLSv1.2` or `TLSv1.3`.
  public var version: String { String(cString: SSL_get_version(pointer)) }

  /// What ALPN chose; nil: the peer did not ask, or knows nothing of it.
  public var applicationProtocol: ApplicationProtocol? {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(pointer, &name, &count)
    guard let name, count > 0 else { return nil }
    return ApplicationProtocol(rawValue: String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self))
  }

  /// Whom the certificate is for that our side was chosen to have; nil: there was nothing to be chosen.
  public var servedNames: TLSServedNames? { chooser?.names(of: pointer) }

  /// Verified: a session with an unverified one is never made. nil: the peer showed none.
  public var peerCertificate: TLSPeerCertificate? { TLSPeerCertificate(of: pointer) }
}
