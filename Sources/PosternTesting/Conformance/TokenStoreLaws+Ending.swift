import OAuthCore

extension TokenStoreLaws {
  static let ending: [Law<any TokenStore>] = [
    Law("RFC 7009 §2.1: ending an access token ends no other") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let use = grant.use(successor: Specimen.digest())
      _ = try await store.refresh(use)
      for _ in 0..<2 {
        try await store.revokeAccessToken(
          grant.accessToken.locator, expiresAt: grant.accessToken.expiresAt, at: grant.now)
      }
      try require(try await store.accessToken(grant.accessToken.locator, at: grant.now) == nil, "it has ended")
      try require(try await store.accessToken(use.accessToken!.locator, at: use.now) != nil, "the other has not")
      try require(try await store.family(grant.family.locator)?.isRevoked == false, "nor has the family")
    },

    Law("RFC 7009 §2.1: ending a family ends its access tokens and its refresh token") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      for _ in 0..<2 { try await store.revokeFamily(grant.family.locator, reason: .clientRequest, at: grant.now) }
      let token = try await store.accessToken(grant.accessToken.locator, at: grant.now)
      try require(token == nil, "the access token has ended")
      let outcome = try await store.refresh(grant.use(successor: Specimen.digest()))
      try require(outcome.refusal == .invalid, "the refresh token has ended")
    },

    Law("a JWT ends by its own id and through its family") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let (id, other) = (Specimen.locator(), Specimen.locator())
      try await store.revokeAccessToken(id, expiresAt: grant.now + .seconds(600), at: grant.now)
      try require(try await store.isRevoked(jwtID: id, family: grant.family.locator), "its own id ends it")
      try require(try await !store.isRevoked(jwtID: other, family: grant.family.locator), "another id does not")
      try await store.revokeFamily(grant.family.locator, reason: .administrator, at: grant.now)
      try require(try await store.isRevoked(jwtID: other, family: grant.family.locator), "the family ends all")
    },

    Law("a JWT of a family that is not known has ended") { store in
      try require(try await store.isRevoked(jwtID: Specimen.locator(), family: Specimen.locator()), "it has ended")
    },

    Law("a withdrawn consent ends the subject's families with that client and no others") { store in
      let grant = GrantSpecimen()
      var again = GrantSpecimen()
      again.authorization = grant.authorization
      var elsewhere = GrantSpecimen()
      elsewhere.authorization.subject = grant.authorization.subject
      var somebodyElse = GrantSpecimen()
      somebodyElse.authorization.client = grant.authorization.client
      for specimen in [grant, again, elsewhere, somebodyElse] { try await specimen.issue(to: store) }
      try await store.revokeFamilies(
        of: grant.authorization.subject, client: grant.authorization.client, at: grant.now)
      for specimen in [grant, again] {
        try require(try await store.family(specimen.family.locator)?.isRevoked == true, "the subject's with the client have ended")
      }
      for specimen in [elsewhere, somebodyElse] {
        try require(try await store.family(specimen.family.locator)?.isRevoked == false, "others have not")
      }
    },

    Law("ending what is unknown is no error") { store in
      let now = Specimen.now
      try await store.revokeAccessToken(Specimen.locator(), expiresAt: now + .seconds(1), at: now)
      try await store.revokeFamily(Specimen.locator(), reason: .administrator, at: now)
      try await store.revokeFamilies(of: Subject("nobody"), client: ClientID("nothing"), at: now)
    },
  ]
}
