import Cryptography
import OAuthCore

/// A grant with names of its own, as these tests issue and refresh it.
struct Grant: Sendable {
  static let now = Timestamp(seconds: 1_750_000_000)

  var authorization = Authorization(
    subject: Subject("alice"), client: ClientID("printmypics"), scope: ["read", "write"], audience: ["https://api.example"])
  var family: NewFamily
  var code: OneTimeArtefact
  let successorHash = Grant.digest()

  init(at now: Timestamp = Grant.now) {
    family = NewFamily(
      locator: Grant.locator(at: now), refreshHash: Grant.digest(), idleExpiresAt: now + .seconds(1000),
      expiresAt: now + .seconds(2000))
    code = OneTimeArtefact(kind: "code", id: Grant.locator(at: now).bytes, expiresAt: now + .seconds(60))
  }

  func redemption(at now: Timestamp = Grant.now) -> Issuance {
    Issuance(
      authorization: authorization, accessToken: Grant.token(at: now), family: family, consumes: [code], now: now)
  }

  func clientCredentials(at now: Timestamp = Grant.now) -> Issuance {
    Issuance(authorization: authorization, accessToken: Grant.token(at: now), family: nil, consumes: [], now: now)
  }

  /// A browser that the subject signed in at.
  let sessionLocator = Grant.locator()
  var session: BrowserSession {
    BrowserSession(
      locator: sessionLocator, secretHash: Grant.digest(), subject: authorization.subject, authenticatedAt: Grant.now,
      expiresAt: Grant.now + .seconds(3600))
  }

  /// Presents the first refresh token.
  func use() -> RefreshUse {
    RefreshUse(
      family: family.locator, client: authorization.client, presentedHash: family.refreshHash!,
      successorHash: successorHash, scope: nil, audience: nil, accessToken: Grant.token(), grace: .seconds(30),
      idleExpiresAt: Grant.now + .seconds(1000), now: Grant.now + .seconds(1))
  }

  static func token(at now: Timestamp = Grant.now) -> NewAccessToken {
    NewAccessToken(locator: locator(at: now), secretHash: digest(), expiresAt: now + .seconds(600))
  }

  static func locator(at moment: Timestamp = now) -> Locator {
    Locator(createdAt: moment, randomness: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
  }

  static func digest() -> Digest256 { Digest256(bytes: (0..<32).map { _ in UInt8.random(in: 0 ... .max) })! }
}
