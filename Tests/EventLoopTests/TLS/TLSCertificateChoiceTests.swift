import CLibSSL
import TestCertificates
import Testing

@testable import EventLoop

private let certificates = TestCertificates.shared

@Suite struct TLSCertificateChoiceTests {
  private typealias Files = TLSServerSettings.CertificateFiles

  /// For `localhost` first, then for `*.elsewhere.example`, then for `elsewhere.example`.
  private static func context() throws -> TLSServerContext {
    try TLSServerContext(TLSServerSettings(
      certificate: certificates.server.certificate, key: certificates.server.key,
      otherCertificates: [certificates.wildcard, certificates.elsewhere].map { Files(certificate: $0.certificate, key: $0.key) }))
  }

  @Test("RFC 6066 §3, RFC 9525 §6.3: a client gets the certificate of the name it asks for, a wildcard's for one label", arguments: [
    ("localhost", certificates.server), ("elsewhere.example", certificates.elsewhere), ("a.elsewhere.example", certificates.wildcard),
    ("A.Elsewhere.EXAMPLE", certificates.wildcard),
  ])
  func chosen(host: String, pair: TestCertificates.Pair) throws {
    let ends = try TLSPair(server: Self.context(), host: host)
    #expect(ends.handshake() == (nil, nil))
    #expect(ends.client.peerCertificate?.fingerprint == TestCertificates.fingerprint(of: pair.certificate))
    #expect(ends.server.servedNames?.cover(authority: host) == true)
  }

  @Test("Who asks for a name that no certificate has, or for none, gets the first, which the client then refuses or accepts", arguments: [
    ("other.example", false), ("a.b.elsewhere.example", false), ("127.0.0.1", true),
  ])
  func unknown(host: String, isAccepted: Bool) throws {
    let ends = try TLSPair(server: Self.context(), host: host)
    #expect((ends.handshake().client == nil) == isAccepted)
    #expect(ends.server.servedNames?.cover(authority: "localhost") == true)
    #expect(ends.server.servedNames?.cover(authority: "elsewhere.example") == false)
  }

  @Test("RFC 9110 §4.3.4: a certificate is for the hosts and addresses that it names, at any port, and for nobody else")
  func covered() throws {
    let wildcard = try TLSPair(server: Self.context(), host: "a.elsewhere.example")
    _ = wildcard.handshake()
    let names = try #require(wildcard.server.servedNames)
    for authority in ["b.elsewhere.example", "B.elsewhere.example:8443", "a.elsewhere.example.", "[::1]:443", "[0:0::1]"] {
      #expect(names.cover(authority: authority), "\(authority)")
    }
    for authority in [
      "elsewhere.example", "a.b.elsewhere.example", ".elsewhere.example", "localhost", "127.0.0.1", "[::2]", "xelsewhere.example",
      "a.elsewhere.example.evil", "", ":443", "[",
    ] {
      #expect(!names.cover(authority: authority), "\(authority)")
    }
    #expect(try TLSPair(server: try TLSServerContext(.init(certificate: certificates.server.certificate, key: certificates.server.key)))
      .server.servedNames == nil)
  }

  @Test("RFC 8446 §2.2: a session is resumed under every name")
  func resumed() throws {
    let context = try Self.context()
    let client = try TLSClientContext(authorities: certificates.authority.certificate)
    for host in ["localhost", "a.elsewhere.example"] {
      let cache = TLSSessionCache()
      for round in 0..<2 {
        let ends = try TLSPair(server: context, client: client, host: host, cache: cache)
        #expect(ends.handshake() == (nil, nil))
        #expect(ends.client.isResumed == (round > 0))
        #expect(ends.server.servedNames?.cover(authority: host) == true)
        // The ticket comes with the first bytes. Source: RFC 8446 §4.6.1.
        let received = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
        defer { received.deallocate() }
        _ = Array("hello".utf8).withUnsafeBytes { ends.server.write($0) }
        _ = ends.client.read(into: received)
      }
    }
  }

  @Test("A session goes on with its certificate when the listener's are replaced within the handshake")
  func replaced() throws {
    let acceptor = TLSAcceptor(try Self.context())
    let ends = try TLSPair(acceptor)
    acceptor.replace(with: try TLSServerContext(.init(certificate: certificates.server.certificate, key: certificates.server.key)))
    #expect(ends.handshake() == (nil, nil))
  }

  @Test("A further certificate that names nobody is refused: its common name is nobody's (RFC 9525 §6.3)")
  func nameless() throws {
    #expect(throws: TLSFailure.self) {
      try TLSServerContext(TLSServerSettings(
        certificate: certificates.server.certificate, key: certificates.server.key,
        otherCertificates: [Files(certificate: certificates.commonNameOnly.certificate, key: certificates.commonNameOnly.key)]))
    }
  }
}
