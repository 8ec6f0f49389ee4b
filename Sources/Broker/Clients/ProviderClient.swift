import Cryptography

/// What Postern is to a provider. Source: RFC 6749 §2.3.1.
public struct ProviderClient: Sendable, Hashable {
  public enum Authentication: String, Sendable, CaseIterable {
    case basic = "client_secret_basic"
    case post = "client_secret_post"
    /// An assertion signed by a key whose public half the provider knows. Source: RFC 7523 §2.2.
    case privateKeyJWT = "private_key_jwt"
    /// The grant proves who asks, as a service account's does. Source: RFC 7523 §2.1, §3.1.
    case none
  }

  public var id: String
  /// Empty where a key proves who it is.
  public var secret: Secret
  public var authentication: Authentication
  /// Of `privateKeyJWT`.
  public let key: AssertionKey?

  /// - Parameter authentication: by secret.
  public init(id: String, secret: Secret, authentication: Authentication = .basic) {
    precondition(authentication != .privateKeyJWT, "an assertion is signed by a key")
    self.id = id
    self.secret = secret
    self.authentication = authentication
    key = nil
  }

  /// - Parameter id: named in requests unless it is empty.
  public init(unauthenticated id: String) { self.init(id: id, secret: Secret(bytes: []), authentication: .none) }

  public init(id: String, key: AssertionKey) {
    self.id = id
    secret = Secret(bytes: [])
    authentication = .privateKeyJWT
    self.key = key
  }
}

/// The key that signs client assertions.
public struct AssertionKey: Sendable, Hashable {
  public let signing: SigningKey

  public init(_ signing: SigningKey) { self.signing = signing }

  /// - Parameter text: a private JWK: P-256 or Ed25519.
  public init(parsing text: Secret) throws(JWKError) {
    signing = try SigningKey(JWK(parsing: text.exposedBytes))
  }

  public static func == (left: AssertionKey, right: AssertionKey) -> Bool { left.signing.jwk == right.signing.jwk }

  public func hash(into hasher: inout Hasher) { hasher.combine(signing.jwk) }
}
