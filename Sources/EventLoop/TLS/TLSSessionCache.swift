import CLibSSL

/// What one server gave to resume sessions with. Confined to the loop of its connections.
public final class TLSSessionCache {
  /// More than this many connections are rarely made at once.
  private static let countMax = 8

  private var resumptions: [OpaquePointer] = []

  public init() {}

  deinit { for resumption in resumptions { SSL_SESSION_free(resumption) } }

  /// - Parameter resumption: whose reference becomes ours.
  func store(_ resumption: OpaquePointer) {
    if resumptions.count == TLSSessionCache.countMax { SSL_SESSION_free(resumptions.removeFirst()) }
    resumptions.append(resumption)
  }

  /// The newest one. In TLS 1.3 each is used once, so that connections cannot be linked. Source: RFC 8446 §C.4.
  ///
  /// - Returns: with a reference that becomes the caller's.
  func take() -> OpaquePointer? {
    guard let newest = resumptions.popLast() else { return nil }
    if SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION, SSL_SESSION_up_ref(newest) == 1 {
      resumptions.append(newest)
    }
    return newest
  }
}
