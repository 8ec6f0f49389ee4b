import Broker
import Configuration
import Cryptography
import Foundation
import OAuthCore
import ReverseProxy
import Testing

@Suite("Configuration")
struct ConfigurationTests {
  @Test("A valid file becomes values, with every secret read and every default filled")
  func loads() throws {
    let configuration = try Fixture.load(Fixture.valid)
    #expect(configuration.issuer.description == "https://auth.example.com")
    #expect(configuration.listeners == [ListenerSettings(address: ListenAddress(host: "127.0.0.1", port: 8080))])
    #expect(configuration.admin == nil)
    #expect(configuration.database.exposedText == "postgresql://postern:pw@db/postern")
    #expect(configuration.keys.ids == ["k1"])
    #expect(configuration.limits == Limits())
    #expect(configuration.tokens == TokenSettings())
    #expect(configuration.grants == [.authorizationCode, .clientCredentials, .refreshToken])
    #expect(configuration.scopes.map(\.text) == ["See your photos"])

    let app = configuration.clients[0]
    #expect(app.authentication == .clientSecretBasic && app.isConfigured && app.name == "app")
    #expect(app.secrets == [.sha256(SHA256.digest("0123456789abcdef-app"))])
    #expect(configuration.accounts[0].subject == Subject("user:alice"))
    #expect(configuration.providers[0].client.secret == Secret("provider-secret"))
    #expect(configuration.routes.routes[0].credential == .clientCredentials(provider: ProviderID("vault")))
    #expect(configuration.routes.routes[0].access.requiredScopes == ["photos.read"])
  }

  @Test("A client without secret is a public one; private-use and loopback redirect URIs are for it (RFC 8252 §7)")
  func loadsPublicClient() throws {
    let text = Fixture.valid.replacing("    secret: \"${env:APP_SECRET}\"\n", with: "")
      .replacing("[https://app.example/callback]", with: "[\"http://127.0.0.1/cb\", \"http://[::1]:80/cb\", \"com.example.app:/cb\"]")
    let client = try Fixture.load(text).clients[0]
    #expect(client.isPublic && client.secrets.isEmpty)
    #expect(client.redirectURIs == ["http://127.0.0.1/cb", "http://[::1]:80/cb", "com.example.app:/cb"])
  }

  @Test("Every member that is in the file replaces its default")
  func loadsEverything() throws {
    let text = Fixture.valid + """

        rewrite: { strip_prefix: /photos, add_prefix: /v1 }
        encoded_slash: forward
        limits: { body: 10MiB }
        accept: [self]
        mcp: false
    admin: { address: "[::1]:9090" }
    trusted_proxies: [10.0.0.0/8, 127.0.0.2]
    limits:
      { request_line: 16KiB, field_bytes: 64KiB, field_count: 50, header_timeout: 500s, idle_timeout: 2m,
        minimum_body_rate: 2KiB/s, response_field_bytes: 128KiB, connections: 500, connections_per_source: 50,
        http2_streams: 7, http2_resets: 8, http2_control_frames: 90 }
    tokens:
      access: { format: jwt, lifetime: 5m }
      code: { lifetime: 30s }
      refresh: { idle: 1d, absolute: 2d, grace: 500ms }
    grants: [authorization_code, client_credentials, refresh_token]
    """
    let configuration = try Fixture.load(text)
    #expect(configuration.admin?.description == "[::1]:9090")
    #expect(configuration.trustedProxies.map(\.description) == ["10.0.0.0/8", "127.0.0.2"])
    #expect(configuration.limits.requestLineBytesMax == 16_384 && configuration.limits.fieldBytesMax == 65_536)
    #expect(configuration.limits.fieldCountMax == 50 && configuration.limits.minimumBodyRate == 2048)
    #expect(configuration.limits.responseFieldBytesMax == 131_072)
    #expect(configuration.limits.connectionsMax == 500 && configuration.limits.connectionsPerSourceMax == 50)
    #expect(configuration.limits.http2StreamsMax == 7 && configuration.limits.http2ResetsMax == 8)
    #expect(configuration.limits.http2ControlFramesMax == 90)
    #expect(configuration.limits.headerTimeout == .seconds(500) && configuration.limits.idleTimeout == .seconds(120))
    #expect(configuration.tokens.accessFormat == .jwt && configuration.tokens.accessLifetime == .seconds(300))
    #expect(configuration.tokens.codeLifetime == .seconds(30) && configuration.tokens.refreshGrace == .milliseconds(500))
    let route = configuration.routes.routes[0]
    #expect(route.limits.bodyBytesMax == 10 << 20 && route.encodedSlash == .forward)
    #expect(String(decoding: route.rewrite.rewritten(Array("/photos/1".utf8).span), as: UTF8.self) == "/v1/1")
  }

  @Test("A grant that the executable registers can be switched on and given to clients")
  func knowsRegisteredGrants() throws {
    let text = Fixture.valid.replacing("grants: [client_credentials]", with: "grants: [\"urn:example:grant\"]")
    let configuration = try Configuration.load(
      path: "postern.yaml", environment: Fixture.environment,
      readFile: { path in Array((path == "postern.yaml" ? text : Fixture.files[path] ?? "").utf8) },
      registeredGrants: [.authorizationCode, .refreshToken, GrantType("urn:example:grant")])
    #expect(configuration.clients[1].grants == [GrantType("urn:example:grant")])
  }

  @Test("A listener and an upstream may have TLS, with authorities of their own")
  func loadsTLS() throws {
    let text = Fixture.valid
      .replacing("  - address: 127.0.0.1:8080", with: """
          - address: 127.0.0.1:8080
          - address: 127.0.0.1:8443
            tls: { certificate: /tls/tls.crt, key: /tls/tls.key }
          - address: 127.0.0.1:8444
            tls: { certificate: /tls/tls.crt, key: /tls/tls.key, client_ca: /tls/ca.pem, client_auth: optional }
          - address: 127.0.0.1:8445
            tls:
              certificate: /tls/tls.crt
              key: /tls/tls.key
              certificates: [{ certificate: /tls/api.crt, key: /tls/api.key }]
              client_ca: /tls/ca.pem
        """)
      .replacing("[\"http://127.0.0.1:8081\"]", with: "[\"https://api.example\"]\n    ca: /tls/upstream.pem")
      .replacing("allowed_hosts: [127.0.0.1]", with: "allowed_hosts: [api.example]")
    let configuration = try Fixture.load(text)
    typealias Files = ListenerSettings.TLSFiles
    #expect(configuration.listeners.map(\.tls) == [
      nil, Files(certificate: "/tls/tls.crt", key: "/tls/tls.key"),
      Files(certificate: "/tls/tls.crt", key: "/tls/tls.key", clientAuthorities: "/tls/ca.pem", clientAuthentication: .optional),
      Files(
        certificate: "/tls/tls.crt", key: "/tls/tls.key",
        otherCertificates: [.init(certificate: "/tls/api.crt", key: "/tls/api.key")], clientAuthorities: "/tls/ca.pem",
        clientAuthentication: .required),
    ])
    #expect(configuration.upstreams[0].servers.map(\.description) == ["https://api.example"])
    #expect(configuration.upstreams[0].authorities == "/tls/upstream.pem")
  }

  @Test("An upstream hears of clients' certificates where its route says so", arguments: [
    ("", ClientCertificateRule.none), ("none", .none), ("leaf", .leaf), ("chain", .chain),
  ])
  func clientCertificate(text: String, rule: ClientCertificateRule) throws {
    let member = text.isEmpty ? "" : "\n    client_certificate: \(text)"
    let text = Fixture.valid.replacing("    upstream: api", with: "    upstream: api\(member)")
    let asking = text.replacing("127.0.0.1:8080", with: "127.0.0.1:8080\n    tls: { certificate: /c, key: /k, client_ca: /a }")
    #expect(try Fixture.load(asking).routes.routes[0].clientCertificate == rule)
    // A listener that asks for none would make it say nothing for ever.
    #expect((try? Fixture.load(text)) == nil || rule == .none)
  }

  @Test("RFC 8705 §2.1.2: a client may be known by its certificate", arguments: [
    ("{ subject_dn: \"CN=a\" }", CertificateName.subject("CN=a")), ("{ san_dns: A.example }", .dns("a.example")),
    ("{ san_uri: \"spiffe://a/b\" }", .uri("spiffe://a/b")), ("{ san_email: a@b.example }", .email("a@b.example")),
    ("{ san_ip: 192.0.2.7 }", .address([192, 0, 2, 7])),
  ])
  func certificateName(text: String, name: CertificateName) throws {
    let configuration = try Fixture.load(Fixture.valid
      .replacing("127.0.0.1:8080", with: "127.0.0.1:8080\n    tls: { certificate: /c, key: /k, client_ca: /a }")
      .replacing("secret: \"${env:MACHINE_SECRET}\"", with: "authentication: tls_client_auth\n    certificate: \(text)")
      .replacing("scopes: [reports.read]", with: "scopes: [reports.read]\n    access_token: { certificate_bound: true }"))
    #expect(configuration.clients[1].certificateName == name && configuration.clients.map(\.bindsTokens) == [false, true])
    #expect(configuration.clients[1].authentication == .tlsClientAuth && configuration.clients[1].secrets.isEmpty)
  }

  @Test("Streams end with their token unless the route says otherwise", arguments: [
    ("", StreamRules(allowsWebSocket: false, endsOnRevocation: true, expiryGrace: .seconds(30))),
    ("{ websocket: true }", StreamRules(allowsWebSocket: true)),
    ("{ websocket: true, end_on_revoke: false, end_on_expiry: false }",
     StreamRules(allowsWebSocket: true, endsOnRevocation: false, expiryGrace: nil)),
    ("{ end_on_expiry: { grace: 5s } }", StreamRules(expiryGrace: .seconds(5))),
    ("{ end_on_expiry: true }", StreamRules()),
  ])
  func streams(text: String, rules: StreamRules) throws {
    let member = text.isEmpty ? "" : "\n    streams: \(text)"
    let configuration = try Fixture.load(Fixture.valid.replacing("    upstream: api", with: "    upstream: api\(member)"))
    #expect(configuration.routes.routes[0].streams == rules)
  }

  @Test("A printed configuration shows no secret")
  func redacts() throws {
    var printed = ""
    dump(try Fixture.load(Fixture.valid), to: &printed)
    for name in ["DB", "APP_SECRET", "PROVIDER_SECRET", "KEY"] {
      #expect(!printed.contains(try #require(Fixture.environment[name])))
    }
  }

  @Test("The annotated example loads")
  func loadsExample() throws {
    let example = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "deploy/postern.example.yaml")
    var environment = ["POSTERN_DATABASE_URL": "postgresql://postern@db/postern", "ALICE_SCRYPT": Fixture.hash]
    for name in [
      "PRINTMYPICS_SECRET", "REPORT_SECRET", "CLOUDVAULT_SECRET", "CALENDAR_SECRET", "REPORTS_KEY", "LEGACY_PASSWORD",
      "INTROSPECTION_SECRET",
    ] {
      environment[name] = "0123456789abcdef-\(name)"
    }
    let text = try Data(contentsOf: example)
    let configuration = try Configuration.load(path: example.path, environment: environment) { path in
      path == example.path ? Array(text) : Array(try #require(Fixture.files["/secrets/k1"]).utf8)
    }
    #expect(configuration.routes.routes.map(\.name) == ["photos", "calendar", "reports", "legacy", "partners", "dashboard", "status"])
    #expect(configuration.clients.map(\.id.rawValue) == ["printmypics", "printmypics-desktop", "nightly-report"])
  }
}
