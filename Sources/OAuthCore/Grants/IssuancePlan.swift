import Cryptography
import JSON

/// What a grant decided: a pure value that the core limits, executes as one statement and answers.
public struct IssuancePlan: Sendable {
  /// Where the authority of the new token comes from.
  public enum Authority: Sendable {
    /// The handler knows what the token speaks for.
    case decided(Authorization)
    /// The stored family knows; the statement reads it. For refreshing.
    case family(FamilyRefresh)
    /// Nothing is issued: the answer is a token of another issuer, which Postern holds for the subject.
    case released(ReleasedToken)
  }

  public var authority: Authority
  /// nil: the client's or the server's default.
  public var lifetime: Duration?
  /// Whether a refresh token is to be issued; honoured only where descriptor and client allow it.
  public var wantsRefreshToken: Bool
  /// The id the new family gets, when an artefact prescribes one (a code names the family that it will create, so that its
  /// replay can revoke it); nil: no family unless a refresh token is issued.
  public var family: Locator?
  /// What the issuing statement must win.
  public var consumes: [OneTimeArtefact]
  /// Whether what the plan gives rests on a consent that the subject can withdraw at `/account`. The issuing statement then
  /// checks that it still stands: a code that was minted a moment before is worth nothing afterwards.
  public var restsOnConsent: Bool
  /// Further members of the token response.
  public var responseMembers: JSONObject

  var isRelease: Bool { if case .released = authority { true } else { false } }

  public init(
    _ authority: Authority, lifetime: Duration? = nil, wantsRefreshToken: Bool = false, family: Locator? = nil,
    consumes: [OneTimeArtefact] = [], restsOnConsent: Bool = false, responseMembers: JSONObject = [:]
  ) {
    self.authority = authority
    self.lifetime = lifetime
    self.wantsRefreshToken = wantsRefreshToken
    self.family = family
    self.consumes = consumes
    self.restsOnConsent = restsOnConsent
    self.responseMembers = responseMembers
  }
}

/// A token out of the vault. Source: RFC 8693 §2.2.1.
public struct ReleasedToken: Sendable {
  public var subject: Subject
  public var client: ClientID
  /// The token that spoke for the subject.
  public var presented: Locator
  public var token: VaultToken

  public init(subject: Subject, client: ClientID, presented: Locator, token: VaultToken) {
    self.subject = subject
    self.client = client
    self.presented = presented
    self.token = token
  }
}

/// A refresh token as presented: its tag was good, everything else is the statement's to check.
public struct FamilyRefresh: Sendable {
  public var presented: Handle
  /// nil: the family's own scope.
  public var scope: ScopeSet?
  public var audience: [String]?

  public init(presented: Handle, scope: ScopeSet?, audience: [String]?) {
    self.presented = presented
    self.scope = scope
    self.audience = audience
  }
}
