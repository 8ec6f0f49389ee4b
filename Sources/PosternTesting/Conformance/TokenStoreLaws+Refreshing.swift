import Cryptography
import OAuthCore

extension TokenStoreLaws {
  static let refreshing: [Law<any TokenStore>] = [
    Law("RFC 6749 §6: a refresh yields what the family has, and its successor is the current token then") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let use = grant.use(successor: Specimen.digest(), after: .seconds(10))
      guard case .refreshed(let authorization, let familyExpiresAt) = try await store.refresh(use) else {
        throw LawBroken(description: "the current token was refused")
      }
      try require(authorization == grant.authorization, "it speaks for the same")
      try require(familyExpiresAt == grant.family.expiresAt, "the family's end is told")
      let family = try require(try await store.family(grant.family.locator), "the family is found")
      try require(family.refreshHash == use.successorHash, "the successor is current")
      try require(family.idleExpiresAt == use.idleExpiresAt, "the idle expiry moved")
      let token = try await store.accessToken(use.accessToken!.locator, at: use.now)
      try require(token?.authorization == grant.authorization, "its token is recorded")
      try require(token?.family == grant.family.locator, "in the family")
    },

    Law("RFC 6749 §6: a narrower scope narrows the access token and not the family") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let use = grant.use(successor: Specimen.digest(), scope: ["read"], audience: [])
      guard case .refreshed(let authorization, _) = try await store.refresh(use) else {
        throw LawBroken(description: "a narrower scope was refused")
      }
      try require(authorization.scope == ["read"] && authorization.audience == [], "the answer is narrowed")
      let token = try await store.accessToken(use.accessToken!.locator, at: use.now)
      try require(token?.authorization.scope == ["read"], "the token is narrowed")
      let family = try await store.family(grant.family.locator)
      try require(family?.authorization.scope == grant.authorization.scope, "the family is not")
    },

    Law("50 parallel refreshes with one token all yield the same successor") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let successor = Specimen.digest()
      let uses = (0..<50).map { _ in grant.use(successor: successor) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for use in uses {
          group.addTask { try require(try await store.refresh(use).isRefreshed, "each is refreshed") }
        }
        try await group.waitForAll()
      }
      let family = try await store.family(grant.family.locator)
      try require(family?.refreshHash == successor && family?.isRevoked == false, "the successor is current")
      for use in uses {
        try require(try await store.accessToken(use.accessToken!.locator, at: use.now) != nil, "each has its token")
      }
    },

    Law("a retry inside the grace window yields the successor again and prolongs the window by nothing") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let successor = Specimen.digest()
      for delay in [0, 20, 29] {
        let outcome = try await store.refresh(grant.use(successor: successor, after: .seconds(delay)))
        try require(outcome.isRefreshed, "after \(delay) s it is refreshed")
      }
      let late = try await store.refresh(grant.use(successor: successor, after: .seconds(31)))
      try require(late.refusal == .reused, "after the window it is reuse")
    },

    Law("RFC 9700 §4.14.2: reuse after the grace window ends the family and its access tokens") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let use = grant.use(successor: Specimen.digest())
      _ = try await store.refresh(use)
      let reuse = try await store.refresh(grant.use(successor: use.successorHash, after: .seconds(31)))
      try require(reuse.refusal == .reused, "it is reuse")
      try require(try await store.family(grant.family.locator)?.isRevoked == true, "the family is revoked")
      for token in [grant.accessToken, use.accessToken!] {
        try require(try await store.accessToken(token.locator, at: use.now) == nil, "its tokens have ended")
      }
      let next = try await store.refresh(grant.use(use.successorHash, successor: Specimen.digest(), after: .seconds(32)))
      try require(next.refusal == .invalid, "the successor has ended as well")
    },

    Law("a token two generations old is reuse even inside the grace window") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let (second, third) = (Specimen.digest(), Specimen.digest())
      _ = try await store.refresh(grant.use(successor: second))
      _ = try await store.refresh(grant.use(second, successor: third, after: .seconds(1)))
      let reuse = try await store.refresh(grant.use(successor: second, after: .seconds(2)))
      try require(reuse.refusal == .reused, "it is reuse")
    },

    Law("inside the grace window a retry that names another successor is refused and ends nothing") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let successor = Specimen.digest()
      _ = try await store.refresh(grant.use(successor: successor))
      let before = try require(try await store.family(grant.family.locator), "the family is found")
      let other = grant.use(successor: Specimen.digest(), after: .seconds(5))
      try require(try await store.refresh(other).refusal == .invalid, "it is refused")
      try require(before.isSame(as: try await store.family(grant.family.locator)), "the family is as before")
      let retry = try await store.refresh(grant.use(successor: successor, after: .seconds(6)))
      try require(retry.isRefreshed, "the right retry is still answered")
    },

    Law("a token that was never the family's current one is taken for one that was superseded") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let stranger = try await store.refresh(grant.use(Specimen.digest(), successor: Specimen.digest()))
      try require(stranger.refusal == .reused, "it is reuse")
      try require(try await store.family(grant.family.locator)?.isRevoked == true, "the family is revoked")
    },

    Law("another client's request changes nothing, not even with a superseded token") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let second = Specimen.digest()
      _ = try await store.refresh(grant.use(successor: second))
      let before = try require(try await store.family(grant.family.locator), "the family is found")
      for hash in [grant.family.refreshHash!, second] {
        let use = grant.use(hash, successor: Specimen.digest(), after: .seconds(100), client: ClientID("thief"))
        try require(try await store.refresh(use).refusal == .invalid, "it is refused")
        try require(try await store.accessToken(use.accessToken!.locator, at: use.now) == nil, "no token is recorded")
      }
      try require(before.isSame(as: try await store.family(grant.family.locator)), "the family is as before")
    },

    Law("asking for more scope or another audience changes nothing") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let before = try require(try await store.family(grant.family.locator), "the family is found")
      let wider = grant.use(successor: Specimen.digest(), scope: ["read", "admin"])
      try require(try await store.refresh(wider).refusal == .scopeExceeded, "more scope is refused")
      let elsewhere = grant.use(successor: Specimen.digest(), audience: ["https://other.example"])
      try require(try await store.refresh(elsewhere).refusal == .audienceExceeded, "another audience is refused")
      for use in [wider, elsewhere] {
        try require(try await store.accessToken(use.accessToken!.locator, at: use.now) == nil, "no token is recorded")
      }
      try require(before.isSame(as: try await store.family(grant.family.locator)), "the family is as before")
      let good = try await store.refresh(grant.use(successor: Specimen.digest()))
      try require(good.isRefreshed, "the token is still good")
    },

    Law("a family ends at its idle expiry, at its own expiry, and an unknown one never was") { store in
      var idle = GrantSpecimen()
      idle.family.idleExpiresAt = idle.now + .seconds(100)
      try await idle.issue(to: store)
      var old = GrantSpecimen()
      old.family.idleExpiresAt = old.now + .seconds(5000)
      old.family.expiresAt = old.now + .seconds(100)
      try await old.issue(to: store)
      for grant in [idle, old, GrantSpecimen()] {
        let outcome = try await store.refresh(grant.use(successor: Specimen.digest(), after: .seconds(100)))
        try require(outcome.refusal == .invalid, "it is refused")
      }
    },

    Law("the idle expiry never passes the family's own") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      var use = grant.use(successor: Specimen.digest())
      use.idleExpiresAt = grant.family.expiresAt + .seconds(1)
      use.accessToken?.expiresAt = grant.family.expiresAt + .seconds(1)
      _ = try await store.refresh(use)
      let family = try await store.family(grant.family.locator)
      try require(family?.idleExpiresAt == grant.family.expiresAt, "the family's expiry caps it")
      let token = try await store.accessToken(use.accessToken!.locator, at: use.now)
      try require(token?.expiresAt == grant.family.expiresAt, "and the token's")
    },

    Law("a family without a refresh token cannot be refreshed") { store in
      var grant = GrantSpecimen()
      grant.family.refreshHash = nil
      try await grant.issue(to: store)
      let outcome = try await store.refresh(grant.use(Specimen.digest(), successor: Specimen.digest()))
      try require(outcome.refusal == .invalid, "it is refused")
      try require(try await store.family(grant.family.locator)?.isRevoked == false, "and not taken for reuse")
    },
  ]
}
