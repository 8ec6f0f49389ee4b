import Cryptography
import JSON

/// Keeps tokens and grant families. Every operation is one statement, atomic and durable before it returns,
/// unless its comment says otherwise.
public protocol TokenStore: Sendable {
  /// Wins every artefact in `consumes`, then records the family and the access token; all or nothing.
  ///
  /// When an artefact was used before, nothing is recorded and the family that its first use created (`Issuance.family`
  /// has the id that the artefact carries) is revoked with its access tokens. When the resource owner's permission is
  /// gone (`Issuance.restsOnConsent`, a disabled account), nothing is consumed either.
  func issue(_ issuance: Issuance) async throws(StoreFailure) -> IssuanceOutcome

  /// Moves a family to its next generation and records the access token; all or nothing.
  ///
  /// Every condition is a predicate of the update, so a refused request changes nothing, except that reuse of a
  /// superseded token outside the grace window revokes the family.
  func refresh(_ refresh: RefreshUse) async throws(StoreFailure) -> RefreshOutcome

  /// The stored facts of an opaque access token; nil when unknown, expired or revoked, directly or through its family.
  ///
  /// - Parameter secretHash: compared by the caller against `StoredToken.secretHash`, in constant time.
  func accessToken(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> StoredToken?

  /// The stored facts of the family behind a refresh token, whatever its state; nil when unknown.
  func family(_ locator: Locator) async throws(StoreFailure) -> StoredFamily?

  /// Ends one access token. Appends to the change log in the same statement.
  func revokeAccessToken(_ locator: Locator, expiresAt: Timestamp, at now: Timestamp) async throws(StoreFailure)

  /// Ends a family: its refresh token and every access token made from it. Appends to the change log in the same statement.
  func revokeFamily(_ locator: Locator, reason: RevocationReason, at now: Timestamp) async throws(StoreFailure)

  /// Ends every family of a subject with a client: a withdrawn consent. What was being issued as the consent went is ended,
  /// too, if this is called after `ConsentStore.withdraw` has returned.
  func revokeFamilies(of subject: Subject, client: ClientID, at now: Timestamp) async throws(StoreFailure)

  /// Whether a JWT access token was ended before it expired, by its own id or through its family.
  func isRevoked(jwtID: Locator, family: Locator?) async throws(StoreFailure) -> Bool
}

/// What a token speaks for. Source: RFC 7662 §2.2 names its members.
public struct Authorization: Sendable, Hashable {
  public var subject: Subject
  public var client: ClientID
  public var scope: ScopeSet
  /// `aud`; empty when no resource was named.
  public var audience: [String]
  /// When the resource owner signed in; nil when none took part.
  public var authenticatedAt: Timestamp?
  /// Claims that a grant adds to the token.
  public var claims: JSONObject

  public init(
    subject: Subject, client: ClientID, scope: ScopeSet, audience: [String] = [],
    authenticatedAt: Timestamp? = nil, claims: JSONObject = [:]
  ) {
    self.subject = subject
    self.client = client
    self.scope = scope
    self.audience = audience
    self.authenticatedAt = authenticatedAt
    self.claims = claims
  }
}

/// An access token about to be recorded: only the digest of its secret leaves the process.
public struct NewAccessToken: Sendable {
  public var locator: Locator
  public var secretHash: Digest256
  public var expiresAt: Timestamp

  public init(locator: Locator, secretHash: Digest256, expiresAt: Timestamp) {
    self.locator = locator
    self.secretHash = secretHash
    self.expiresAt = expiresAt
  }
}

/// A grant family about to be recorded. It exists for every code that is redeemed, with or without a refresh token,
/// so that a replayed code has something to revoke.
public struct NewFamily: Sendable {
  public var locator: Locator
  /// Digest of the first refresh token's secret; nil: no refresh token was issued.
  public var refreshHash: Digest256?
  /// Ends the refresh token when it is not used until then.
  public var idleExpiresAt: Timestamp
  /// Ends the family whatever happens.
  public var expiresAt: Timestamp

  public init(locator: Locator, refreshHash: Digest256?, idleExpiresAt: Timestamp, expiresAt: Timestamp) {
    self.locator = locator
    self.refreshHash = refreshHash
    self.idleExpiresAt = idleExpiresAt
    self.expiresAt = expiresAt
  }
}

/// Something that may be used once, ever.
public struct OneTimeArtefact: Sendable, Hashable {
  /// What it is, such as `code` or `jti`; part of its identity.
  public var kind: String
  /// Its name; at most 64 bytes (hash what is longer).
  public var id: [UInt8]
  /// Until when it could be presented again, so until when its use is remembered. It is part of the artefact's identity:
  /// whoever presents it again, to whichever instance, must come to the same moment, so take it from the artefact itself or
  /// from what is kept with it, never from the time of the request.
  public var expiresAt: Timestamp

  public init(kind: String, id: [UInt8], expiresAt: Timestamp) {
    self.kind = kind
    self.id = id
    self.expiresAt = expiresAt
  }
}

/// All that one issuing statement does.
public struct Issuance: Sendable {
  public var authorization: Authorization
  /// nil for a JWT, which is not stored.
  public var accessToken: NewAccessToken?
  public var family: NewFamily?
  public var consumes: [OneTimeArtefact]
  /// Whether the subject's consent must still cover client and scope while this is recorded.
  public var restsOnConsent: Bool
  public var now: Timestamp

  public init(
    authorization: Authorization, accessToken: NewAccessToken?, family: NewFamily?,
    consumes: [OneTimeArtefact], restsOnConsent: Bool = false, now: Timestamp
  ) {
    self.authorization = authorization
    self.accessToken = accessToken
    self.family = family
    self.consumes = consumes
    self.restsOnConsent = restsOnConsent
    self.now = now
  }
}

public enum IssuanceOutcome: Sendable, Equatable {
  case issued
  /// One of `consumes` had been used; what its first use created is revoked.
  case alreadyUsed
  /// The consent was withdrawn, or the account disabled. Nothing changed.
  case notPermitted
}

/// All that one refreshing statement checks and does.
public struct RefreshUse: Sendable {
  public var family: Locator
  public var client: ClientID
  /// Digest of the presented secret.
  public var presentedHash: Digest256
  /// Digest of the one possible successor's secret.
  public var successorHash: Digest256
  /// What was asked for; nil: what the family has.
  public var scope: ScopeSet?
  /// Resource indicators asked for; nil: what the family has.
  public var audience: [String]?
  /// nil for a JWT, which is not stored.
  public var accessToken: NewAccessToken?
  /// How long a superseded token still yields its successor.
  public var grace: Duration
  /// New idle expiry; the family's own expiry caps it.
  public var idleExpiresAt: Timestamp
  public var now: Timestamp

  public init(
    family: Locator, client: ClientID, presentedHash: Digest256, successorHash: Digest256, scope: ScopeSet?,
    audience: [String]?, accessToken: NewAccessToken?, grace: Duration, idleExpiresAt: Timestamp, now: Timestamp
  ) {
    self.family = family
    self.client = client
    self.presentedHash = presentedHash
    self.successorHash = successorHash
    self.scope = scope
    self.audience = audience
    self.accessToken = accessToken
    self.grace = grace
    self.idleExpiresAt = idleExpiresAt
    self.now = now
  }
}

public enum RefreshOutcome: Sendable {
  /// The successor is `successorHash`'s, whether this call or an earlier one inside the grace window created it.
  /// Carries what the new access token speaks for.
  case refreshed(Authorization, familyExpiresAt: Timestamp)
  case refused(RefreshRefusal)
}

public enum RefreshRefusal: Sendable, Equatable {
  /// Unknown, expired, revoked, or another client's. Nothing changed.
  case invalid
  /// Asked for more than the family has. Nothing changed.
  case scopeExceeded
  /// Asked for an audience the family does not have. Nothing changed.
  case audienceExceeded
  /// A superseded token outside the grace window: the family is revoked now.
  case reused
}

public struct StoredToken: Sendable {
  public var secretHash: Digest256
  public var authorization: Authorization
  public var family: Locator?
  public var expiresAt: Timestamp

  public init(secretHash: Digest256, authorization: Authorization, family: Locator?, expiresAt: Timestamp) {
    self.secretHash = secretHash
    self.authorization = authorization
    self.family = family
    self.expiresAt = expiresAt
  }
}

public struct StoredFamily: Sendable {
  public var authorization: Authorization
  /// The current generation's; nil: the family has no refresh token.
  public var refreshHash: Digest256?
  public var expiresAt: Timestamp
  public var idleExpiresAt: Timestamp
  public var isRevoked: Bool

  public init(
    authorization: Authorization, refreshHash: Digest256?, expiresAt: Timestamp, idleExpiresAt: Timestamp,
    isRevoked: Bool
  ) {
    self.authorization = authorization
    self.refreshHash = refreshHash
    self.expiresAt = expiresAt
    self.idleExpiresAt = idleExpiresAt
    self.isRevoked = isRevoked
  }
}

public enum RevocationReason: String, Sendable {
  case clientRequest = "client_request"
  case codeReplay = "code_replay"
  case refreshReuse = "refresh_reuse"
  case consentWithdrawn = "consent_withdrawn"
  case accountDisabled = "account_disabled"
  case administrator
}

/// The store could not answer; the caller may try again. Details belong to the log.
public enum StoreFailure: Error, Sendable, Equatable {
  /// Not reachable, or too slow.
  case unavailable
  /// More work waits than the store can take.
  case overloaded
}
