import Cryptography
import JSON
import OAuthCore

extension TokenStoreLaws {
  static let issuing: [Law<any TokenStore>] = [
    Law("RFC 6749 §4.1.2: a code is redeemed once") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      try require(try await store.issue(grant.redemption()) == .alreadyUsed, "a second redemption is refused")
    },

    Law("RFC 6749 §4.1.2: a replayed code ends everything that its first use created") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      _ = try await store.issue(grant.redemption())
      try require(
        try await store.accessToken(grant.accessToken.locator, at: grant.now) == nil, "the first access token has ended")
      try require(try await store.family(grant.family.locator)?.isRevoked == true, "the family is revoked")
      let refresh = try await store.refresh(grant.use(successor: Specimen.digest()))
      try require(refresh.refusal == .invalid, "the refresh token has ended")
    },

    Law("of 100 parallel redemptions of one code exactly one is issued, and the others end it") { store in
      let grant = GrantSpecimen()
      let outcomes = try await withThrowingTaskGroup(of: IssuanceOutcome.self) { group in
        for _ in 0..<100 { group.addTask { try await store.issue(grant.redemption()) } }
        return try await group.reduce(into: [IssuanceOutcome]()) { $0.append($1) }
      }
      try require(outcomes.count { $0 == .issued } == 1, "one is issued")
      try require(try await store.family(grant.family.locator)?.isRevoked == true, "a raced replay kills, too")
    },

    Law("an issuance that loses one of its artefacts consumes none of them") { store in
      let first = GrantSpecimen()
      try await first.issue(to: store)
      let fresh = OneTimeArtefact(kind: "jti", id: Specimen.locator().bytes, expiresAt: first.now + .seconds(60))
      var both = GrantSpecimen().redemption()
      both.consumes = [first.code, fresh]
      try require(try await store.issue(both) == .alreadyUsed, "it is refused")
      try require(try await store.family(both.family!.locator) == nil, "nothing was recorded")
      both.consumes = [fresh]
      try require(try await store.issue(both) == .issued, "the fresh artefact is still good")
    },

    Law("an artefact is not won from its expiry on") { store in
      var late = GrantSpecimen()
      late.code.expiresAt = late.now
      try require(try await store.issue(late.redemption()) == .alreadyUsed, "it is refused")
      try require(try await store.family(late.family.locator) == nil, "nothing is recorded")
    },

    Law("artefacts of different kinds with one id are different") { store in
      let id = Specimen.locator().bytes
      for kind in ["code", "jti"] {
        var grant = GrantSpecimen()
        grant.code = OneTimeArtefact(kind: kind, id: id, expiresAt: grant.now + .seconds(60))
        try await grant.issue(to: store)
      }
    },

    Law("the facts of a token are found as they were issued") { store in
      var grant = GrantSpecimen()
      grant.authorization.claims = ["tenant": "ä\"\\{},\u{1}", "level": 3, "list": ["a", true]]
      grant.authorization.audience = ["https://a.example/x?y={z}", "with space", "quote\"back\\slash,comma{}", ""]
      try await grant.issue(to: store)
      let found = try require(
        try await store.accessToken(grant.accessToken.locator, at: grant.now), "the token is found")
      try require(found.authorization == grant.authorization, "its facts are those issued")
      try require(found.secretHash == grant.accessToken.secretHash, "its digest is the one issued")
      try require(found.family == grant.family.locator, "its family is named")
      try require(found.expiresAt == grant.accessToken.expiresAt, "its expiry is the one issued")
      let family = try require(try await store.family(grant.family.locator), "the family is found")
      try require(family.authorization == grant.authorization, "the family's facts are those issued")
      try require(family.refreshHash == grant.family.refreshHash && !family.isRevoked, "its refresh token is live")
    },

    Law("200 tokens issued at once, consuming nothing, are all found with their own facts") { store in
      let issuances = (0..<200).map { number in
        var authorization = GrantSpecimen().authorization
        authorization.authenticatedAt = number.isMultiple(of: 2) ? nil : Specimen.now
        authorization.audience = (0..<(number % 3)).map { "aud \"\($0)\" \\ of \(number)" }
        authorization.claims = number.isMultiple(of: 3) ? ["number": .integer(Int64(number))] : [:]
        return Issuance(
          authorization: authorization, accessToken: GrantSpecimen.token(), family: nil, consumes: [], now: Specimen.now)
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for issuance in issuances {
          group.addTask { try require(try await store.issue(issuance) == .issued, "it is issued") }
        }
        try await group.waitForAll()
      }
      for issuance in issuances {
        let found = try require(
          try await store.accessToken(issuance.accessToken!.locator, at: Specimen.now), "the token is found")
        try require(found.authorization == issuance.authorization, "its facts are its own")
        try require(found.secretHash == issuance.accessToken!.secretHash, "its digest is its own")
        try require(found.family == nil, "it has no family")
      }
    },

    Law("a token is unknown from its expiry on") { store in
      let grant = GrantSpecimen()
      try await grant.issue(to: store)
      let end = grant.accessToken.expiresAt
      try require(
        try await store.accessToken(grant.accessToken.locator, at: end - .seconds(1)) != nil, "it is known until then")
      try require(try await store.accessToken(grant.accessToken.locator, at: end) == nil, "it is unknown then")
    },

    Law("a token does not outlive its family") { store in
      var grant = GrantSpecimen()
      grant.accessToken.expiresAt = grant.family.expiresAt + .seconds(500)
      try await grant.issue(to: store)
      let found = try await store.accessToken(grant.accessToken.locator, at: grant.now)
      try require(found?.expiresAt == grant.family.expiresAt, "it ends with the family")
    },

    Law("a JWT is issued without being stored") { store in
      let id = Specimen.locator()
      let issuance = Issuance(
        authorization: GrantSpecimen().authorization, accessToken: nil, family: nil, consumes: [], now: Specimen.now)
      try require(try await store.issue(issuance) == .issued, "it is issued")
      try require(try await store.accessToken(id, at: Specimen.now) == nil, "nothing is stored")
      try require(try await !store.isRevoked(jwtID: id, family: nil), "it is not revoked")
    },
  ]
}
