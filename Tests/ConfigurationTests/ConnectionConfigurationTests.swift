import Broker
import Configuration
import Cryptography
import ReverseProxy
import Testing

@Suite("Providers that users connect to, in the configuration")
struct ConnectionConfigurationTests {
  private static let provider = """
    grant: authorization_code
        authorization_endpoint: https://vault.example/authorize
    """
  private static let valid = Fixture.valid
    .replacing("grant: client_credentials\n    client", with: "\(provider)\n    client")
    .replacing("kind: client_credentials, provider: vault", with: "kind: connection, provider: vault")

  private func faults(_ piece: String, _ replacement: String) -> String {
    precondition(Self.valid.contains(piece))
    do {
      _ = try Fixture.load(Self.valid.replacing(piece, with: replacement))
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test("endpoints, issuer, rotation and release are read, and a route uses the provider by subject")
  func loads() throws {
    let text = Self.valid.replacing(
      "authorization_endpoint:",
      with: """
        issuer: https://vault.example
            revocation_endpoint: https://vault.example/revoke
            rotation: grace
            release: proxy_only
            default_lifetime: 1h
            keep_fresh: 2h
            keep_alive: 30d
            refresh_concurrency: 3
            authorization_endpoint:
        """)
    let configuration = try Fixture.load(text)
    var renewal = RenewalPolicy()
    renewal.keepFresh = .seconds(2 * 3600)
    renewal.keepAlive = .seconds(30 * 86_400)
    renewal.concurrency = 3
    #expect(configuration.providers[0].defaultLifetime == .seconds(3600))
    #expect(
      configuration.providers[0].authorization
        == ProviderAuthorization(
          endpoint: EndpointURL("https://vault.example/authorize")!,
          revocationEndpoint: EndpointURL("https://vault.example/revoke")!, rotation: .grace, renewal: renewal))
    #expect(configuration.routes.routes[0].credential == .connection(provider: ProviderID("vault")))
    #expect(configuration.providers[0].issuer == "https://vault.example")
    #expect(try Fixture.load(Self.valid).providers[0].authorization?.rotation == .unknown)
  }

  @Test("RFC 8414: an issuer stands for the endpoints; openid needs one")
  func discovered() throws {
    let found = Self.valid
      .replacing("    authorization_endpoint: https://vault.example/authorize\n", with: "    issuer: https://vault.example\n")
      .replacing("    token_endpoint: https://vault.example/token\n", with: "")
    let provider = try Fixture.load(found).providers[0]
    #expect(provider.issuer == "https://vault.example")
    #expect(provider.tokenEndpoint == nil && provider.authorization == ProviderAuthorization(endpoint: nil))
    #expect(faults("authorization_endpoint:", "scopes: [openid]\n    authorization_endpoint:").contains("openid needs an issuer"))
    #expect(faults("authorization_endpoint:", "issuer: http://vault.example\n    authorization_endpoint:").contains("travel in clear"))
  }

  @Test("RFC 7523 §2.2: a client has a key instead of a secret, and a key that signs")
  func privateKey() throws {
    func client(_ text: String) -> String {
      Self.valid.replacing("secret: \"${env:PROVIDER_SECRET}\"", with: text)
    }
    let loaded = try Fixture.load(client("authentication: private_key_jwt, private_key: \"${env:CLIENT_KEY}\""))
    #expect(loaded.providers[0].client.key?.signing.id == "client-key")
    for (text, fault) in [
      ("authentication: private_key_jwt", "\"private_key\" is missing"),
      ("authentication: private_key_jwt, private_key: \"${env:PROVIDER_SECRET}\"", "must be a private JWK"),
      ("secret: \"${env:PROVIDER_SECRET}\", private_key: \"${env:CLIENT_KEY}\"", "is for clients with authentication"),
    ] {
      #expect(Fixture.faults(of: client(text)).contains(fault), "\(text)")
    }
  }

  @Test("RFC 9700 §4.11: where tickets may lead back to is listed, and is https or loopback")
  func returnURIs() throws {
    let listed = Self.valid + "\nconnect: { return_to: [https://app.example/done, \"http://127.0.0.1:3000/\"] }\n"
    #expect(try Fixture.load(listed).connectReturnURIs == ["https://app.example/done", "http://127.0.0.1:3000/"])
    for bad in ["http://app.example/", "//app.example/", "javascript:alert(1)", "https://app.example/#x"] {
      #expect(Fixture.faults(of: Self.valid + "\nconnect: { return_to: [\"\(bad)\"] }\n").contains("connect.return_to[0]"))
    }
  }

  @Test("a route to a host outside allowed_hosts does not load")
  func destination() {
    #expect(faults("allowed_hosts: [127.0.0.1]", "allowed_hosts: [api.vault.example]").contains("does not let its tokens go to 127.0.0.1"))
  }

  @Test("what is missing, does not fit or would be sent in clear is told", arguments: [
    ("    authorization_endpoint: https://vault.example/authorize\n", "", "\"authorization_endpoint\" is missing"),
    ("https://vault.example/authorize", "http://vault.example/authorize", "secrets and tokens would travel in clear"),
    ("https://vault.example/authorize", "/authorize", "must be an absolute http or https URL"),
    ("authorization_endpoint:", "keep_alive: 1s\n    authorization_endpoint:", "keep_alive must be from 1m to 366d"),
    ("authorization_endpoint:", "refresh_concurrency: 0\n    authorization_endpoint:", "refresh_concurrency must be from 1 to 256"),
    ("authorization_endpoint:", "rotation: sometimes\n    authorization_endpoint:", "none, strict, grace, unknown"),
    ("authorization_endpoint:", "release: never\n    authorization_endpoint:", "says release: never, so no route sends its tokens"),
    ("authorization_endpoint:", "release: always\n    authorization_endpoint:", "must be never, proxy_only, token_exchange"),
    ("authorization_endpoint:", "revocation_endpoint: http://vault.example/r\n    authorization_endpoint:", "secrets and tokens would travel in clear"),
    ("grant: authorization_code", "grant: client_credentials", "authorization_endpoint is for providers with grant: authorization_code"),
    ("kind: connection, provider: vault", "kind: client_credentials, provider: vault", "so a route uses it by kind: connection"),
    ("require: { scopes: [photos.read] }", "anonymous: true", "an anonymous route has no subject whose connection or name it could use"),
    ("  vault:\n", "  \"..\":\n", "needs a letter or a digit"),
  ])
  func tells(piece: String, replacement: String, fault: String) {
    #expect(faults(piece, replacement).contains(fault), "\(faults(piece, replacement))")
  }
}
