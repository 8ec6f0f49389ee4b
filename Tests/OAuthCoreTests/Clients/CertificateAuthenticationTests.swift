import Cryptography
import OAuthCore
import PosternTesting
import Testing

/// Of `CN=reporter,O=Example\\, Ltd`, with a host, a URI, an e-mail address, and two IP addresses.
private let certificate = Base64.decode(Array("""
  MIICDDCCAbOgAwIBAgIUacPPjh4Mj0+AyBTiujBYTlc8MgUwCgYIKoZIzj0EAwIwKjEVMBMGA1UECgwMRXhhbXBsZSwgTHRkMREwDwYDVQQDDAhy\
  ZXBvcnRlcjAgFw0yNjExMjMwMTQ2NTRaGA8yMTI2MTAzMDAxNDY1NFowKjEVMBMGA1UECgwMRXhhbXBsZSwgTHRkMREwDwYDVQQDDAhyZXBvcnRl\
  cjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAGYYuLfC7EbZQlBytOEEV5I6ZKBSU8n5XdXmLWB3O/d4t+d6+8H7RXQ1vp+r4NrIIIossKKGcIk\
  jWL0nNXAxZyjgbQwgbEwHQYDVR0OBBYEFHdwgkwMf7gdg3loTOHftMmfenzKMB8GA1UdIwQYMBaAFHdwgkwMf7gdg3loTOHftMmfenzKMA8GA1Ud\
  EwEB/wQFMAMBAf8wXgYDVR0RBFcwVYIOTGVkZ2VyLmV4YW1wbGWGF3NwaWZmZTovL2V4YW1wbGUvbGVkZ2VygRJsZWRnZXJAZXhhbXBsZS5jb22H\
  BMAAAgeHECABDbgAAAAAAAAAAAAAAAcwCgYIKoZIzj0EAwIDRwAwRAIgHajwZSde2ZLjaVh+wNm1Ak5Xa9tGWSKv6EhnRfrGyp4CIAvPYZMklYfX\
  8JF2d+bOnrf6+UJY+ym8UeQwK2tGHJvo\

  """.utf8))!

@Suite struct CertificateAuthenticationTests {
  private func client(_ name: CertificateName?, secrets: [SecretVerifier] = []) -> Client {
    Client(
      id: ClientID("ledger"), name: "Ledger", authentication: .tlsClientAuth, secrets: secrets, certificateName: name,
      grants: [.clientCredentials], scopes: ["read"])
  }

  private func status(
    _ client: Client, _ certificate: [UInt8]?, form: String = "grant_type=client_credentials&client_id=ledger",
    authorization: String? = nil
  ) async throws -> Int {
    let server = try await Fixture.server(clients: [client, Fixture.web])
    return await server.token.respond(to: ClientRequest(
      contentType: "application/x-www-form-urlencoded", authorizationField: authorization, body: Array(form.utf8),
      certificate: certificate)
    ).status
  }

  // MARK: Refused

  @Test("RFC 8705 §2.1: a certificate with another name, none at all, or what is no certificate is 401", arguments: [
    .subject("CN=reporter"), .subject("O=Example\\, Ltd,CN=reporter"), .subject(""), .subject("cn=reporter,O=Example\\, Ltd"),
    .dns("example"), .dns("reporter"), .uri("spiffe://example"), .email("ledger.example"), .address([192, 0, 2, 8]), .address([]),
    .dns("spiffe://example/ledger"), nil,
  ] as [CertificateName?])
  func otherName(name: CertificateName?) async throws {
    #expect(try await status(client(name), certificate) == 401)
  }

  @Test("RFC 8705 §2: without a certificate the client's identifier alone is worth nothing")
  func noCertificate() async throws {
    let named = client(.dns("ledger.example"))
    for shown in [nil, [], Array(certificate.dropLast()), certificate + [0], Array("CN=reporter".utf8)] {
      #expect(try await status(named, shown) == 401)
    }
    #expect(try await status(named, certificate, form: "grant_type=client_credentials") == 401)
  }

  @Test("RFC 8705 §2: a client of another method is not authenticated by a certificate, nor this one by a secret")
  func otherMethod() async throws {
    let named = client(.dns("ledger.example"), secrets: [.sha256(SHA256.digest("correct horse battery staple"))])
    #expect(try await status(named, certificate, form: "grant_type=client_credentials&client_id=web") == 401)
    let secret = "grant_type=client_credentials&client_id=ledger&client_secret=correct+horse+battery+staple"
    #expect(try await status(named, certificate, form: secret) == 401)
    let basic = "Basic " + Base64.encode(Array("ledger:correct+horse+battery+staple".utf8))
    #expect(try await status(named, certificate, form: "grant_type=client_credentials", authorization: basic) == 401)
    var disabled = named
    disabled.isDisabled = true
    #expect(try await status(disabled, certificate) == 401)
  }

  // MARK: Served

  @Test("RFC 8705 §2.1.2: a client is known by its certificate's subject, or by any one of its alternative names", arguments: [
    .subject("CN=reporter,O=Example\\, Ltd"), .dns("ledger.example"), .uri("spiffe://example/ledger"), .email("ledger@example.com"),
    CertificateName(address: "192.0.2.7")!, CertificateName(address: "2001:db8::7")!,
  ] as [CertificateName])
  func named(name: CertificateName) async throws {
    #expect(try await status(client(name), certificate) == 200)
  }

  @Test("RFC 8705 §3: a client's tokens are bound to the certificate it showed, in both formats, and say so when asked about",
    arguments: AccessTokenFormat.allCases)
  func bound(format: AccessTokenFormat) async throws {
    var client = client(.dns("ledger.example"))
    client.bindsTokens = true
    client.accessTokenFormat = format
    let server = try await Fixture.server(clients: [client, Fixture.web])
    let request = ClientRequest(
      contentType: "application/x-www-form-urlencoded", body: Array("grant_type=client_credentials&client_id=ledger".utf8),
      certificate: certificate)
    let token = try #require(await server.token.respond(to: request).json["access_token"]?.string)
    let confirmation = try #require(await server.introspect(token)["cnf"]?.object)
    #expect(confirmation["x5t#S256"] == .string(Base64URL.encode(SHA256.digest(certificate).bytes)))
    #expect(try await server.verifier.verify(Array(token.utf8))?.constraint == SenderConstraint(certificate: certificate))
  }

  @Test("RFC 8705 §3: a client whose tokens are bound gets none without a certificate, others' stay bearer tokens")
  func unbound() async throws {
    var web = Fixture.web
    web.bindsTokens = true
    let server = try await Fixture.server(clients: [web, client(.dns("ledger.example"))])
    let refused = await server.token.respond(
      to: server.form(["grant_type": "client_credentials"], as: web.id, secret: Fixture.secret))
    #expect(refused.errorCode == "invalid_request")
    let free = await server.token.respond(to: ClientRequest(
      contentType: "application/x-www-form-urlencoded", body: Array("grant_type=client_credentials&client_id=ledger".utf8),
      certificate: certificate))
    let token = try #require(free.json["access_token"]?.string)
    #expect(try await server.verifier.verify(Array(token.utf8))?.constraint == .bearer)
  }

  @Test("Only addresses are taken for addresses", arguments: ["", "192.0.2", "ledger.example", "192.0.2.7/32", "::g"])
  func address(text: String) { #expect(CertificateName(address: text) == nil) }

  @Test("A client without the name that its certificate has to have is not registered")
  func rules() {
    #expect(client(nil).objection(grants: [.clientCredentials]) != nil)
    #expect(client(.dns("ledger.example")).objection(grants: [.clientCredentials]) == nil)
  }
}
