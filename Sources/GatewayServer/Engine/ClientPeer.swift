import EventLoop

/// Who is at the other end of a client connection, and of every stream that it carries.
struct ClientPeer {
  let source: SourceCounts.Source
  /// Whom every request comes from, unless the peer is a trusted proxy.
  let origin: RequestOrigin
  let isTrustedProxy: Bool
  /// nil: clear text, or nothing in it that a request depends on.
  var secured: SecuredPeer?

  init(_ address: SocketAddress, isSecure: Bool, trustedProxies: TrustedProxies) {
    source = SourceCounts.Source(address)
    let text = Array(address.host.utf8)
    origin = RequestOrigin(address: text, chain: text, scheme: isSecure ? "https" : "http")
    isTrustedProxy = trustedProxies.contains(address)
  }
}
