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
    /// What clients get that ask for no name that one of the others has.
    public var certificate: CertificateFiles
    /// Chosen by the name that a client asks for (SNI).
    public var otherCertificates: [CertificateFiles]
    /// The authorities of clients; nil: clients are not asked for a certificate.
    public var clientAuthorities: String?
    public var clientAuthentication: ClientAuthentication

    public enum ClientAuthentication: String, Sendable, CaseIterable {
      case optional, required
    }

    public struct CertificateFiles: Sendable, Hashable {
      /// The server's certificate, then those that lead to its authority.
      public var certificate: String
      public var key: String

      public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
      }
    }

    public init(
      certificate: String, key: String, otherCertificates: [CertificateFiles] = [], clientAuthorities: String? = nil,
      clientAuthentication: ClientAuthentication = .required
    ) {
      self.certificate = CertificateFiles(certificate: certificate, key: key)
      self.otherCertificates = otherCertificates
      self.clientAuthorities = clientAuthorities
      self.clientAuthentication = clientAuthentication
    }
  }
}
