/// A listener of the data plane.
public struct ListenerSettings: Sendable, Hashable {
  public var address: ListenAddress
  /// nil: clear text.
  public var tls: TLSFiles?

  public init(address: ListenAddress, tls: TLSFiles? = nil) {
    self.address = address
    self.tls = tls
  }

  /// PEM files, by absolute path: where they are, not what is in them, since they are read again when they change.
  public struct TLSFiles: Sendable, Hashable {
    /// The server's certificate, then those that lead to its authority.
    public var certificate: String
    public var key: String
    /// The authorities of clients; nil: clients are not asked for a certificate.
    public var clientAuthorities: String?
    public var clientAuthentication: ClientAuthentication

    public enum ClientAuthentication: String, Sendable, CaseIterable {
      case optional, required
    }

    public init(
      certificate: String, key: String, clientAuthorities: String? = nil,
      clientAuthentication: ClientAuthentication = .required
    ) {
      self.certificate = certificate
      self.key = key
      self.clientAuthorities = clientAuthorities
      self.clientAuthentication = clientAuthentication
    }
  }
}
