/// What happened to whose authority; never what a secret was.
public struct AuditEvent: Sendable, Equatable {
  public enum Kind: String, Sendable {
    case tokenIssued = "token_issued"
    /// Another issuer's token was handed out.
    case tokenReleased = "token_released"
    case tokenRefused = "token_refused"
    case tokenRevoked = "token_revoked"
    /// A code or a refresh token was used again; what came from it has ended.
    case replayDetected = "replay_detected"
    case codeIssued = "code_issued"
    case consentDenied = "consent_denied"
    case signedIn = "signed_in"
    case signInRefused = "sign_in_refused"
    case attemptLimited = "attempt_limited"
  }

  public var kind: Kind
  public var at: Timestamp
  public var client: ClientID?
  public var subject: Subject?
  public var grantType: GrantType?
  public var scope: ScopeSet?
  /// The grant family, or the access token when there is no family.
  public var artefact: Locator?
  /// The error the caller got.
  public var error: OAuthError.Code?
  public var remoteAddress: String

  public init(
    _ kind: Kind, at: Timestamp, client: ClientID? = nil, subject: Subject? = nil, grantType: GrantType? = nil,
    scope: ScopeSet? = nil, artefact: Locator? = nil, error: OAuthError.Code? = nil, remoteAddress: String = ""
  ) {
    self.kind = kind
    self.at = at
    self.client = client
    self.subject = subject
    self.grantType = grantType
    self.scope = scope
    self.artefact = artefact
    self.error = error
    self.remoteAddress = remoteAddress
  }
}

/// Takes note of audit events. Never blocks: implementations queue, within bounds.
public protocol AuditLog: Sendable {
  func record(_ event: AuditEvent)
}
