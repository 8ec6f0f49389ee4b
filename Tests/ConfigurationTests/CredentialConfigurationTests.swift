import Broker
import Configuration
import Cryptography
import OAuthCore
import ReverseProxy
import Testing

@Suite("Kinds of credentials, in the configuration")
struct CredentialConfigurationTests {
  private static let account = """
    grant: jwt_bearer
        service_account: { issuer: robot@vault.example, audience: https://vault.example, private_key: "${env:CLIENT_KEY}" }
    """

  private static func text(grant: String, kind: String) -> String {
    Fixture.valid.replacing("grant: client_credentials\n    client", with: "\(grant)\n    client")
      .replacing("kind: client_credentials, provider: vault", with: kind)
  }

  private static func faults(_ text: String) -> String {
    do {
      _ = try Fixture.load(text)
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test("RFC 7523: a service account signs with its key, and needs no client")
  func jwtBearer() throws {
    let text = Self.text(grant: Self.account, kind: "kind: jwt_bearer, provider: vault")
    let configuration = try Fixture.load(
      text.replacing("    client: { id: postern, secret: \"${env:PROVIDER_SECRET}\" }\n", with: ""))
    #expect(configuration.routes.routes[0].credential == .jwtBearer(provider: ProviderID("vault")))
    #expect(configuration.providers[0].client.authentication == .none)
    guard case .jwtBearer(let account) = configuration.providers[0].grant else {
      Issue.record("\(configuration.providers[0].grant)")
      return
    }
    #expect(account.issuer == "robot@vault.example" && account.subject == "robot@vault.example")
    #expect(account.audience == "https://vault.example" && account.key.signing.id == "client-key")
  }

  @Test("RFC 8693: tokens are exchanged for the caller, or released to clients where the provider says so")
  func tokenExchange() throws {
    let text = Self.text(grant: "grant: token_exchange", kind: "kind: token_exchange, provider: vault")
    let configuration = try Fixture.load(text)
    #expect(configuration.routes.routes[0].credential == .tokenExchange(provider: ProviderID("vault")))
    #expect(configuration.providers[0].grant == .tokenExchange && configuration.providers[0].release == .proxyOnly)
    let released = try Fixture.load(
      Fixture.valid.replacing(
        "grant: client_credentials\n    client",
        with: "grant: authorization_code\n    authorization_endpoint: https://vault.example/a\n    release: token_exchange\n    client")
        .replacing("kind: client_credentials, provider: vault", with: "kind: connection, provider: vault"))
    #expect(released.providers[0].release == .tokenExchange)
  }

  @Test("a route may name one connection, by its id")
  func ownedConnection() throws {
    let grant = "grant: authorization_code\n    authorization_endpoint: https://vault.example/a"
    let id = "01a2060d-bcd6-70c9-ab62-5489f676c854"
    let configuration = try Fixture.load(Self.text(grant: grant, kind: "kind: connection, provider: vault, id: \(id)"))
    #expect(
      configuration.routes.routes[0].credential
        == .ownedConnection(provider: ProviderID("vault"), id: try #require(Locator(text: id))))
    #expect(Self.faults(Self.text(grant: grant, kind: "kind: connection, provider: vault, id: mine")).contains("must be the id of"))
  }

  @Test("an assertion is for the upstream, by its first server's name unless it has another")
  func signedAssertion() throws {
    func rule(_ members: String) throws -> CredentialRule {
      try Fixture.load(Self.text(grant: "grant: client_credentials", kind: "kind: signed_assertion\(members)")).routes.routes[0]
        .credential
    }
    #expect(try rule("") == .signedAssertion(SignedAssertionRule(audience: "http://127.0.0.1:8081")))
    #expect(
      try rule(", audience: https://api, header: Authorization, lifetime: 1m")
        == .signedAssertion(
          SignedAssertionRule(audience: "https://api", fieldName: "Authorization", lifetime: .seconds(60))))
  }

  @Test("what is missing or does not fit is told", arguments: [
    ("grant: jwt_bearer", "kind: jwt_bearer, provider: vault", "\"service_account\" is missing"),
    (account, "kind: client_credentials, provider: vault", "so a route uses it by kind: jwt_bearer"),
    ("grant: token_exchange", "kind: connection, provider: vault", "so a route uses it by kind: token_exchange"),
    ("grant: token_exchange\n    service_account: {}", "kind: none", "service_account is for providers with grant: jwt_bearer"),
    ("grant: client_credentials\n    release: token_exchange", "kind: none", "is for what users connect"),
    ("grant: client_credentials", "kind: signed_assertion, lifetime: 1d", "must be from 30s to 1h"),
    ("grant: client_credentials", "kind: signed_assertion, header: Host", "cannot carry a credential"),
  ])
  func faulty(_ grant: String, _ kind: String, _ fault: String) {
    let told = Self.faults(Self.text(grant: grant, kind: kind))
    #expect(told.contains(fault), "\(told)")
  }

  @Test("an anonymous route has nobody to speak for", arguments: ["kind: signed_assertion", "kind: token_exchange, provider: vault"])
  func anonymous(_ kind: String) {
    let text = Self.text(grant: "grant: token_exchange", kind: kind).replacing(
      "require: { scopes: [photos.read] }", with: "anonymous: true")
    #expect(Self.faults(text).contains("an anonymous route has no subject"))
  }
}
