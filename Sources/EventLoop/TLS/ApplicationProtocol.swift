/// What is spoken within a TLS session, by its name in ALPN. Source: RFC 7301 §6; RFC 9113 §3.2.
public enum ApplicationProtocol: String, Sendable, Hashable {
  case http2 = "h2"
  case http11 = "http/1.1"

  /// As a list of protocols has it. Source: RFC 7301 §3.1.
  var listed: [UInt8] { [UInt8(rawValue.utf8.count)] + Array(rawValue.utf8) }
}
