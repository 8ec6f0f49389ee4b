import TestCertificates
import Testing

@testable import EventLoop

private let certificates = TestCertificates.shared

extension TLSServerSettings {
  init(_ pair: TestCertificates.Pair) { self.init(certificate: pair.certificate, key: pair.key) }
}

@Suite("Whom a TLS client believes") struct TLSVerificationTests {
  @Test("RFC 9525 §6: a certificate that does not prove who was asked for is not accepted", arguments: [
    (certificates.elsewhere, "localhost", "hostname mismatch"),
    (certificates.elsewhere, "127.0.0.1", "IP address mismatch"),
    (certificates.server, "127.0.0.2", "IP address mismatch"),
    (certificates.server, "localhost.elsewhere.example", "hostname mismatch"),
    (certificates.commonNameOnly, "localhost", "hostname mismatch"),
    (certificates.expired, "localhost", "certificate has expired"),
    (certificates.selfSigned, "localhost", "self-signed certificate"),
    (certificates.stranger, "localhost", "unable to get local issuer certificate"),
  ])
  func notAccepted(pair: TestCertificates.Pair, host: String, reason: String) throws {
    let connection = try TLSPair(server: TLSServerContext(TLSServerSettings(pair)), host: host)
    let outcome = connection.handshake()
    #expect(outcome.client == .certificate(reason))
    // Nothing is sent in clear to a server that was not accepted, nor anything else.
    #expect(connection.client.send("secret") == nil)
  }

  @Test("The system's authorities do not vouch for an authority of one's own")
  func systemAuthorities() throws {
    let connection = try TLSPair(server: TLSServerContext(TLSServerSettings(certificates.server)), authorities: nil)
    #expect(connection.handshake().client == .certificate("unable to get local issuer certificate"))
  }

  @Test("A certificate by the trusted authority for the name or address is accepted", arguments: ["localhost", "LOCALHOST", "127.0.0.1"])
  func accepted(host: String) throws {
    let connection = try TLSPair(server: TLSServerContext(TLSServerSettings(certificates.server)), host: host)
    #expect(connection.handshake() == (nil, nil))
    #expect(connection.client.version == "TLSv1.3")
    #expect(connection.client.applicationProtocol == .http11)
    #expect(connection.client.peerCertificate?.subject == "CN=leaf")
    #expect(connection.server.peerCertificate == nil)
  }

  @Test("What is no host name is not connected to", arguments: ["", "a\0.example"])
  func noName(host: String) throws {
    let context = try TLSClientContext(authorities: certificates.authority.certificate)
    let sockets = try SocketPair()
    #expect(throws: TLSFailure.self) { try context.session(on: sockets.near, to: host, resuming: TLSSessionCache()) }
  }
}

@Suite("Whom a TLS server believes") struct TLSClientCertificateTests {
  private func server(_ authentication: TLSServerSettings.ClientAuthentication) throws -> TLSServerContext {
    try TLSServerContext(
      TLSServerSettings(
        certificate: certificates.server.certificate, key: certificates.server.key,
        clientAuthorities: certificates.authority.certificate, clientAuthentication: authentication))
  }

  private func pair(
    _ authentication: TLSServerSettings.ClientAuthentication, _ identity: TestCertificates.Pair?
  ) throws -> TLSPair {
    let pair = try TLSPair(server: server(authentication))
    if let identity { pair.client.present(certificate: identity.certificate, key: identity.key) }
    return pair
  }

  @Test("RFC 8446 §4.4.2.4: where a client certificate is required, a client without one is refused")
  func absent() throws {
    #expect(try pair(.required, nil).handshake().server == .protocolError("peer did not return a certificate"))
  }

  @Test("A client certificate by an authority that is not trusted is refused, even where none is needed", arguments: TLSServerSettings.ClientAuthentication.allCases)
  func stranger(authentication: TLSServerSettings.ClientAuthentication) throws {
    let outcome = try pair(authentication, certificates.strangeClient).handshake()
    #expect(outcome.server == .certificate("unable to get local issuer certificate"))
  }

  @Test("A server's certificate is no client's")
  func wrongPurpose() throws {
    #expect(try pair(.required, certificates.serverOnly).handshake().server == .certificate("unsuitable certificate purpose"))
  }

  @Test("Where client certificates are optional, a client without one is served")
  func optional() throws {
    let connection = try pair(.optional, nil)
    #expect(connection.handshake() == (nil, nil))
    #expect(connection.server.peerCertificate == nil)
  }

  @Test("RFC 8705 §3.1: a client that proved its certificate is known by its fingerprint", arguments: TLSServerSettings.ClientAuthentication.allCases)
  func present(authentication: TLSServerSettings.ClientAuthentication) throws {
    let connection = try pair(authentication, certificates.client)
    #expect(connection.handshake() == (nil, nil))
    let certificate = try #require(connection.server.peerCertificate)
    #expect(certificate.subject == "CN=reporter")
    #expect(certificate.fingerprint == TestCertificates.fingerprint(of: certificates.client.certificate))
  }
}
