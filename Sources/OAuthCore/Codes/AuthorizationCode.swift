import Cryptography

/// All that an authorization code stands for. It travels inside the code, sealed, so authorizing writes no row.
public struct AuthorizationCode: Sendable, Equatable {
  /// Names the code among those that were redeemed.
  public var id: Locator
  /// Names the family that redeeming will create, so that a replay can revoke it.
  public var family: Locator
  public var client: ClientID
  public var redirectURI: String
  /// Whether the authorization request named it; then the token request must too. Source: RFC 6749 §4.1.3.
  public var isRedirectURIRequired: Bool
  /// nil only for a confidential client on a server that does not demand one.
  public var challenge: ProofKey.Challenge?
  public var scope: ScopeSet
  public var resources: [String]
  public var subject: Subject
  public var authenticatedAt: Timestamp
  /// Source: OpenID Connect Core §3.1.2.1.
  public var nonce: String?
  public var expiresAt: Timestamp

  public init(
    id: Locator, family: Locator, client: ClientID, redirectURI: String, isRedirectURIRequired: Bool,
    challenge: ProofKey.Challenge?, scope: ScopeSet, resources: [String], subject: Subject, authenticatedAt: Timestamp,
    nonce: String?, expiresAt: Timestamp
  ) {
    self.id = id
    self.family = family
    self.client = client
    self.redirectURI = redirectURI
    self.isRedirectURIRequired = isRedirectURIRequired
    self.challenge = challenge
    self.scope = scope
    self.resources = resources
    self.subject = subject
    self.authenticatedAt = authenticatedAt
    self.nonce = nonce
    self.expiresAt = expiresAt
  }
}

/// Seals codes and opens them.
public struct AuthorizationCodeSealer: Sendable {
  /// Source: RFC 6749 §4.1.2 recommends at most 10 minutes; a code is redeemed at once or not at all.
  public static let lifetimeMax = Duration.seconds(60)
  /// Longest code that is looked at. Bytes.
  public static let textByteCountMax = 8 * 1024

  private static let purpose: KeyPurpose = "authorization-code"
  private static let prefix = HandleKind.authorizationCode.rawValue + "_"
  private static let layout: UInt8 = 1

  private let ring: KeyRing

  public init(ring: KeyRing) { self.ring = ring }

  public func seal(_ code: AuthorizationCode) -> String {
    var fields = FieldWriter()
    fields.byte(Self.layout)
    fields.locator(code.id)
    fields.locator(code.family)
    fields.text(code.client.rawValue)
    fields.text(code.redirectURI)
    fields.byte(code.isRedirectURIRequired ? 1 : 0)
    fields.optional(code.challenge) { fields, challenge in fields.text(Base64URL.encode(challenge.digest.bytes)) }
    fields.text(code.scope.description)
    fields.texts(code.resources)
    fields.text(code.subject.rawValue)
    fields.integer(code.authenticatedAt.microseconds)
    fields.optional(code.nonce) { $0.text($1) }
    fields.integer(code.expiresAt.microseconds)
    return Self.prefix + Base64URL.encode(ring.seal(fields.bytes, purpose: Self.purpose, associatedData: []))
  }

  /// nil unless this server sealed the text, unaltered. Expiry is the caller's to check.
  public func open(_ text: String) -> AuthorizationCode? {
    guard
      text.utf8.count <= Self.textByteCountMax, text.hasPrefix(Self.prefix),
      let sealed = Base64URL.decode(text.utf8.dropFirst(Self.prefix.utf8.count)),
      let bytes = ring.open(sealed, purpose: Self.purpose, associatedData: [])
    else { return nil }
    var fields = FieldReader(bytes)
    guard
      fields.byte() == Self.layout,
      let id = fields.locator(), let family = fields.locator(), let client = fields.text(),
      let redirectURI = fields.text(), let isRedirectURIRequired = fields.byte(),
      let challenge = fields.optional({ $0.text().flatMap { ProofKey.Challenge($0) } }),
      let scope = fields.scope(), let resources = fields.texts(), let subject = fields.text(),
      let authenticatedAt = fields.integer(), let nonce = fields.optional({ $0.text() }),
      let expiresAt = fields.integer(),
      fields.isAtEnd
    else { return nil }
    return AuthorizationCode(
      id: id, family: family, client: ClientID(client), redirectURI: redirectURI,
      isRedirectURIRequired: isRedirectURIRequired == 1, challenge: challenge, scope: scope, resources: resources,
      subject: Subject(subject), authenticatedAt: Timestamp(microseconds: authenticatedAt), nonce: nonce,
      expiresAt: Timestamp(microseconds: expiresAt))
  }
}

extension FieldReader {
  mutating func scope() -> ScopeSet? {
    text().flatMap { $0.isEmpty ? ScopeSet() : ScopeSet(parameter: $0) }
  }
}
