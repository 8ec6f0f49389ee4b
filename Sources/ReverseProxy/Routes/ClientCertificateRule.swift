/// What an upstream is told of the certificate that a client showed and proved to hold the key of. The raw values are the
/// configuration's.
///
/// Whatever a route says, nobody's request brings these fields: they are cut from every one.
///
/// Source: RFC 9440.
public enum ClientCertificateRule: String, Sendable, CaseIterable {
  /// Nothing.
  case none
  /// The certificate, as `Client-Cert`.
  case leaf
  /// Also those that the client sent with it, as `Client-Cert-Chain`; a resumed session has none.
  case chain
}
