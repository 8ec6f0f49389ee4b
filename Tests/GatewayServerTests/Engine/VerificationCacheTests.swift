import Cryptography
import OAuthCore
import ReverseProxy
import Testing

@testable import GatewayServer

@Suite("What a loop remembers of tokens")
struct VerificationCacheTests {
  private static let now = Timestamp(seconds: 1_700_000_000)

  private func facts(_ token: String) -> TokenFacts {
    TokenFacts(
      authorization: Authorization(subject: Subject("s"), client: ClientID("c"), scope: []), family: nil,
      locator: Locator(high: 1, low: 1), issuedAt: Self.now, expiresAt: Self.now + .seconds(600), secretHash: SHA256.digest(token))
  }

  private func isKnown(_ cache: VerificationCache, _ token: String, after: Duration, hearsChanges: Bool) -> Bool {
    switch cache.lookup(token.utf8.span, at: Self.now + after, hearsChanges: hearsChanges) {
    case .verified: true
    case .unknown: false
    }
  }

  @Test("While changes may not arrive, an opaque token is asked about each time and a JWT once a second")
  func silence() {
    let cache = VerificationCache(limits: EngineLimits())
    for token in ["pat_opaque", "eyJ.a.b"] {
      let vouched = VouchedToken(own: facts(token), presented: Array(token.utf8), at: Self.now)
      cache.insert(VerifiedToken(vouched, digest: SHA256.digest(token)))
      #expect(isKnown(cache, token, after: .seconds(500), hearsChanges: true))
    }
    #expect(!isKnown(cache, "pat_opaque", after: .zero, hearsChanges: false))
    #expect(isKnown(cache, "eyJ.a.b", after: .milliseconds(999), hearsChanges: false))
    #expect(!isKnown(cache, "eyJ.a.b", after: .seconds(1), hearsChanges: false))
  }

  @Test("What a stranger vouches for is believed as long as he says, whatever becomes of Postern's own changes", arguments: [true, false])
  func strangers(hearsChanges: Bool) {
    let cache = VerificationCache(limits: EngineLimits())
    let source = TokenSource.issuer(ForeignIssuer(identifier: Strangers.idp))
    let until = Self.now + .seconds(20)
    let key = SHA256.digest("key")
    cache.insert(
      VerifiedToken(
        VouchedToken(
          facts: facts("t"), source: source, believedUntil: until, believedAloneUntil: until,
          endedBy: [.foreignKeyWithdrawn(issuer: Strangers.idp, key: key)]), digest: SHA256.digest("t")))
    #expect(isKnown(cache, "t", after: .milliseconds(19_999), hearsChanges: hearsChanges))
    #expect(!isKnown(cache, "t", after: .seconds(20), hearsChanges: hearsChanges))
    cache.apply([.clientChanged(ClientID("c")), .accountChanged(Subject("s")), .signingKeysChanged])
    #expect(isKnown(cache, "t", after: .zero, hearsChanges: hearsChanges))
    cache.apply([.foreignKeyWithdrawn(issuer: Strangers.idp, key: key)])
    #expect(!isKnown(cache, "t", after: .zero, hearsChanges: hearsChanges))
  }

  @Test("A token that one refused is not refused for another")
  func refusals() {
    let cache = VerificationCache(limits: EngineLimits())
    let digest = SHA256.digest("t")
    cache.refuse(Inquiry(digest: digest, source: .own), at: Self.now)
    #expect(cache.isRefused(Inquiry(digest: digest, source: .own), at: Self.now + .milliseconds(1999)))
    #expect(!cache.isRefused(Inquiry(digest: digest, source: .own), at: Self.now + .seconds(2)))
    let stranger = TokenSource.issuer(ForeignIssuer(identifier: Strangers.idp))
    #expect(!cache.isRefused(Inquiry(digest: digest, source: stranger), at: Self.now))
  }
}
