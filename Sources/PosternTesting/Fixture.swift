import Cryptography
import OAuthCore

/// Clients and a proof key that most tests use.
public enum Fixture {
  public static let secret = "correct horse battery staple"
  public static let callback = "https://web.example/callback"
  public static let resource = "https://api.example/photos"
  public static let alice = Subject("alice")

  /// Confidential, every grant.
  public static let web = Client(
    id: ClientID("web"), name: "Web", authentication: .clientSecretBasic, secrets: [.sha256(SHA256.digest(secret))],
    grants: [.authorizationCode, .refreshToken, .clientCredentials], redirectURIs: [callback],
    scopes: ["read", "write"],
    audiences: [resource])

  /// The same rights, another identity.
  public static let other = Client(
    id: ClientID("other"), name: "Other", authentication: .clientSecretBasic,
    secrets: [.sha256(SHA256.digest("other secret"))],
    grants: [.authorizationCode, .refreshToken, .clientCredentials], redirectURIs: ["https://other.example/cb"],
    scopes: ["read", "write"])

  /// Public, on a device.
  public static let native = Client(
    id: ClientID("native"), name: "Native", authentication: .none, grants: [.authorizationCode, .refreshToken],
    redirectURIs: ["http://127.0.0.1/callback"], scopes: ["read"])

  public static let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
  /// Source: RFC 7636 appendix B.
  public static let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
}
