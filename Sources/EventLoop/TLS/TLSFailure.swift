import CLibSSL

/// Why a TLS session or its context could not be made. The text is for the log, never for the peer.
public enum TLSFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The peer's certificate was not accepted: the verifier's reason.
  case certificate(String)
  /// The peers did not come to a session: OpenSSL's reason.
  case protocolError(String)
  /// The connection ended within the handshake.
  case connectionLost
  /// A certificate, key or authority file that cannot be used.
  case file(path: String, reason: String)

  public var description: String {
    switch self {
    case .certificate(let reason): "certificate not accepted: \(reason)"
    case .protocolError(let reason): "TLS failed: \(reason)"
    case .connectionLost: "the connection ended within the TLS handshake"
    case .file(let path, let reason): "\(path): \(reason)"
    }
  }

  /// The newest entry of the thread's error queue, in words; empties the queue.
  static func takeReason() -> String {
    let code = ERR_peek_last_error()
    ERR_clear_error()
    guard code != 0, let reason = ERR_reason_error_string(code) else { return "unknown reason" }
    return String(cString: reason)
  }

  /// OpenSSL tells failures of one call by a queue that belongs to the thread: what others left there would be taken for
  /// ours. Nearly always empty, and looking is cheaper than clearing.
  @inline(__always)
  static func forgetOthers() {
    if ERR_peek_error() != 0 { ERR_clear_error() }
  }
}
