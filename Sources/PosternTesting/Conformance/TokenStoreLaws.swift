import Cryptography
import JSON
import OAuthCore

/// What `TokenStore` promises.
public enum TokenStoreLaws {
  public static let all: [Law<any TokenStore>] = issuing + refreshing + ending
}

/// One grant as the core would issue it, with everything needed to use and misuse it.
struct GrantSpecimen: Sendable {
  var now = Specimen.now
  var authorization = Authorization(
    subject: Subject(Specimen.name("subject")), client: ClientID(Specimen.name("client")), scope: ["read", "write"],
    audience: ["https://api.example"], authenticatedAt: Specimen.now)
  var family = NewFamily(
    locator: Specimen.locator(), refreshHash: Specimen.digest(), idleExpiresAt: Specimen.now + .seconds(1000),
    expiresAt: Specimen.now + .seconds(2000))
  var accessToken = GrantSpecimen.token()
  var code = OneTimeArtefact(
    kind: "code", id: Specimen.locator().bytes, expiresAt: Specimen.now + .seconds(60))

  /// Redeems the code; each call brings a new access token, as each request does.
  func redemption() -> Issuance {
    Issuance(
      authorization: authorization, accessToken: Self.token(), family: family, consumes: [code], now: now)
  }

  func issue(to store: any TokenStore) async throws {
    let issuance = Issuance(
      authorization: authorization, accessToken: accessToken, family: family, consumes: [code], now: now)
    try require(try await store.issue(issuance) == .issued, "a fresh code is redeemed")
  }

  /// Presents `hash`, or the first refresh token.
  func use(
    _ hash: Digest256? = nil, successor: Digest256, after delay: Duration = .zero, scope: ScopeSet? = nil,
    audience: [String]? = nil, client: ClientID? = nil, grace: Duration = .seconds(30), token: NewAccessToken? = token()
  ) -> RefreshUse {
    guard let presented = hash ?? family.refreshHash else { preconditionFailure("the specimen has a refresh token") }
    return RefreshUse(
      family: family.locator, client: client ?? authorization.client, presentedHash: presented, successorHash: successor,
      scope: scope, audience: audience, accessToken: token, grace: grace,
      idleExpiresAt: now + delay + .seconds(1000), now: now + delay)
  }

  static func token(lifetime: Duration = .seconds(600)) -> NewAccessToken {
    NewAccessToken(
      locator: Specimen.locator(), secretHash: Specimen.digest(), expiresAt: Specimen.now + lifetime)
  }
}

extension RefreshOutcome {
  var isRefreshed: Bool { if case .refreshed = self { true } else { false } }
  var refusal: RefreshRefusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}

extension StoredFamily {
  /// Everything that a refused request must leave as it was.
  func isSame(as other: StoredFamily?) -> Bool {
    guard let other else { return false }
    return authorization == other.authorization && refreshHash == other.refreshHash && expiresAt == other.expiresAt
      && idleExpiresAt == other.idleExpiresAt && isRevoked == other.isRevoked
  }
}
