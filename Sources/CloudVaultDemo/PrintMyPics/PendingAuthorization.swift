import Cryptography
import OAuthCore

/// An authorization request that is out, and what its answer will be checked against.
///
/// Both secrets stay on the server: the browser carries `state` and the digest of the verifier.
///
/// Source: RFC 6749 §4.1.1, §10.12; RFC 7636 §4.1, §4.2.
struct PendingAuthorization: Sendable {
  /// Binds the answer to the browser that asked.
  let state: Secret
  /// Binds the code to whoever asked for it.
  let verifier: Secret
  let expiresAt: Timestamp

  /// 256 bits each.
  static let randomByteCount = 32
  /// Enough to sign in and to think about it.
  static let lifetime = Duration.seconds(600)

  init(at now: Timestamp, random: any RandomSource) {
    state = Secret(Base64URL.encode(random.bytes(Self.randomByteCount)))
    verifier = Secret(Base64URL.encode(random.bytes(Self.randomByteCount)))
    expiresAt = now + Self.lifetime
  }

  /// Where the browser is sent.
  func location(for client: DemoClient) -> String {
    client.authorizationEndpoint + "?"
      + PercentEncoding.form([
        ("response_type", "code"), ("client_id", client.id.rawValue), ("redirect_uri", client.redirectURI),
        ("scope", client.scope.description), ("state", state.exposedText),
        ("code_challenge", Base64URL.encode(SHA256.digest(verifier).bytes)), ("code_challenge_method", "S256"),
      ])
  }
}
