import Cryptography

/// An authorization request whose every part was checked. Source: RFC 6749 §4.1.1.
public struct AuthorizationRequest: Sendable, Equatable {
  /// What the client asks of the sign-in. Source: OpenID Connect Core §3.1.2.1.
  public enum Prompt: String, Sendable {
    case none, login, consent
    case selectAccount = "select_account"
  }

  public var client: ClientID
  public var redirectURI: String
  /// Whether the request named its redirect URI; then the token request must too.
  public var isRedirectURIRequired: Bool
  /// Opaque, returned byte for byte; nil when there was none.
  public var state: String?
  public var challenge: ProofKey.Challenge?
  public var scope: ScopeSet
  public var resources: [String]
  public var nonce: String?
  public var prompts: Set<Prompt>
  /// Seconds since the resource owner signed in, at most; nil: any.
  public var maxAge: Int64?
  public var receivedAt: Timestamp

  /// Whether a resource owner who signed in then needs to sign in again.
  func needsNewSignIn(since authenticatedAt: Timestamp) -> Bool {
    if !prompts.isDisjoint(with: [.login, .selectAccount]), authenticatedAt < receivedAt { return true }
    if let maxAge, authenticatedAt < receivedAt - .seconds(maxAge) { return true }
    return false
  }
}

/// Carries a request across the sign-in and consent pages, sealed: nothing is trusted from the browser, nothing is stored.
public struct AuthorizationRequestSealer: Sendable {
  /// How long a person may take. Counted from the request.
  public static let lifetime = Duration.seconds(30 * 60)
  /// Longest text that is looked at. Bytes.
  public static let textByteCountMax = 32 * 1024

  private static let purpose: KeyPurpose = "authorize-request"
  private static let layout: UInt8 = 1

  private let ring: KeyRing

  public init(ring: KeyRing) { self.ring = ring }

  /// - Parameter session: the browser session that may go on with the request; no other can open it.
  public func seal(_ request: AuthorizationRequest, session: Locator) -> String {
    var fields = FieldWriter()
    fields.byte(Self.layout)
    fields.text(request.client.rawValue)
    fields.text(request.redirectURI)
    fields.byte(request.isRedirectURIRequired ? 1 : 0)
    fields.optional(request.state) { $0.text($1) }
    fields.optional(request.challenge) { fields, challenge in fields.text(Base64URL.encode(challenge.digest.bytes)) }
    fields.text(request.scope.description)
    fields.texts(request.resources)
    fields.optional(request.nonce) { $0.text($1) }
    fields.texts(request.prompts.map(\.rawValue).sorted())
    fields.optional(request.maxAge) { $0.integer($1) }
    fields.integer(request.receivedAt.microseconds)
    return Base64URL.encode(ring.seal(fields.bytes, purpose: Self.purpose, associatedData: session.bytes))
  }

  /// nil unless this server sealed the text for this session within the last `lifetime`.
  public func open(_ text: String, session: Locator, at now: Timestamp) -> AuthorizationRequest? {
    guard
      text.utf8.count <= Self.textByteCountMax, let sealed = Base64URL.decode(text),
      let bytes = ring.open(sealed, purpose: Self.purpose, associatedData: session.bytes)
    else { return nil }
    var fields = FieldReader(bytes)
    guard
      fields.byte() == Self.layout, let client = fields.text(), let redirectURI = fields.text(),
      let isRedirectURIRequired = fields.byte(), let state = fields.optional({ $0.text() }),
      let challenge = fields.optional({ $0.text().flatMap { ProofKey.Challenge($0) } }),
      let scope = fields.scope(), let resources = fields.texts(), let nonce = fields.optional({ $0.text() }),
      let prompts = fields.texts(), let maxAge = fields.optional({ $0.integer() }), let receivedAt = fields.integer(),
      fields.isAtEnd
    else { return nil }
    let request = AuthorizationRequest(
      client: ClientID(client), redirectURI: redirectURI, isRedirectURIRequired: isRedirectURIRequired == 1,
      state: state,
      challenge: challenge, scope: scope, resources: resources, nonce: nonce,
      prompts: Set(prompts.compactMap(AuthorizationRequest.Prompt.init)), maxAge: maxAge,
      receivedAt: Timestamp(microseconds: receivedAt))
    return now < request.receivedAt + Self.lifetime ? request : nil
  }
}
