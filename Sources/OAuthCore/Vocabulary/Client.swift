import Cryptography

/// A registered client. Source: RFC 6749 §2.
public struct Client: Sendable, Equatable {
  public var id: ClientID
  /// Shown on the consent page.
  public var name: String
  public var authentication: ClientAuthenticationMethod
  /// Any one of them is accepted, so that a secret can be rotated without an outage. Empty for a public client.
  public var secrets: [SecretVerifier]
  /// What the certificate of a client with `tls_client_auth` has to be for; nil for every other client.
  public var certificateName: CertificateName?
  public var grants: Set<GrantType>
  /// Exact strings. Source: RFC 9700 §2.1; loopback ports: RFC 8252 §7.3.
  public var redirectURIs: [String]
  public var scopes: ScopeSet
  /// Resource indicators the client may ask for; empty: none. Source: RFC 8707.
  public var audiences: [String]
  /// nil: the server's default.
  public var accessTokenFormat: AccessTokenFormat?
  public var accessTokenLifetime: Duration?
  /// Whether its access tokens are worth nothing without the certificate that it showed for them. Source: RFC 8705 §3.
  public var bindsTokens: Bool
  public var isDisabled: Bool
  /// Stands in the configuration file, so it is read-only elsewhere.
  public var isConfigured: Bool

  public var isPublic: Bool { authentication == .none }

  public init(
    id: ClientID, name: String, authentication: ClientAuthenticationMethod, secrets: [SecretVerifier] = [],
    certificateName: CertificateName? = nil, grants: Set<GrantType>, redirectURIs: [String] = [], scopes: ScopeSet = [], audiences: [String] = [],
    accessTokenFormat: AccessTokenFormat? = nil, accessTokenLifetime: Duration? = nil, bindsTokens: Bool = false,
    isDisabled: Bool = false, isConfigured: Bool = false
  ) {
    self.id = id
    self.name = name
    self.authentication = authentication
    self.secrets = secrets
    self.certificateName = certificateName
    self.grants = grants
    self.redirectURIs = redirectURIs
    self.scopes = scopes
    self.audiences = audiences
    self.accessTokenFormat = accessTokenFormat
    self.accessTokenLifetime = accessTokenLifetime
    self.bindsTokens = bindsTokens
    self.isDisabled = isDisabled
    self.isConfigured = isConfigured
  }
}

/// `token_endpoint_auth_method`. Source: RFC 7591 §2.
public enum ClientAuthenticationMethod: String, Sendable, CaseIterable {
  case clientSecretBasic = "client_secret_basic"
  case clientSecretPost = "client_secret_post"
  /// By the certificate of its TLS connection. Source: RFC 8705 §2.1.
  case tlsClientAuth = "tls_client_auth"
  case none
}

/// What is kept of a client secret.
public enum SecretVerifier: Sendable, Hashable {
  /// Of a secret with 256 bits of randomness, made by Postern; or of one in the configuration, where it can be read.
  case sha256(Digest256)
  /// Of a secret a person chose: a PHC string, `$scrypt$ln=14,r=8,p=1$salt$hash`.
  case scrypt(String)
}

public enum AccessTokenFormat: String, Sendable, CaseIterable {
  case opaque
  /// Source: RFC 9068.
  case jwt
}
