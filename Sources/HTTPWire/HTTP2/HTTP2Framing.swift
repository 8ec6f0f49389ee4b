/// How the content of a message of HTTP/2 is written behind its head in HTTP/1.1.
public enum HTTP2Framing: Sendable, Equatable {
  /// There is none.
  case none
  /// As the sender declared; more and less are both malformed.
  case length(UInt64)
  case chunked
  /// There is no content, but bytes of another protocol.
  case tunnel
}
