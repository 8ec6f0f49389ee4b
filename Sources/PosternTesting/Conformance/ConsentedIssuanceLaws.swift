import OAuthCore

/// A token store together with the consents that its issuing statement looks at.
public struct ConsentedStores: Sendable {
  public let tokens: any TokenStore
  public let consents: any ConsentStore

  public init(tokens: any TokenStore, consents: any ConsentStore) {
    self.tokens = tokens
    self.consents = consents
  }
}

/// What `TokenStore` promises about issuances that rest on a consent (`Issuance.restsOnConsent`).
public enum ConsentedIssuanceLaws {
  public static let all: [Law<ConsentedStores>] = [
    Law("a code that was minted before its consent was withdrawn yields nothing afterwards") { stores in
      let grant = GrantSpecimen()
      try await allow(grant, stores)
      try await withdraw(grant, stores)
      let issuance = redemption(grant)
      try require(try await stores.tokens.issue(issuance) == .notPermitted, "it is refused")
      try require(try await stores.tokens.family(grant.family.locator) == nil, "no family is recorded")
      let token = try await stores.tokens.accessToken(issuance.accessToken!.locator, at: grant.now)
      try require(token == nil, "no token is recorded")
      try await allow(grant, stores)
      try require(try await stores.tokens.issue(redemption(grant)) == .issued, "and the code was not consumed")
    },

    Law("a consent covers its own subject, client and scopes, and nothing beyond") { stores in
      let grant = GrantSpecimen()
      let (subject, client) = (grant.authorization.subject, grant.authorization.client)
      try await stores.consents.allow(["read"], to: client, by: subject, at: grant.now)
      try await stores.consents.allow(["read", "write"], to: client, by: Subject("somebody else"), at: grant.now)
      try await stores.consents.allow(["read", "write"], to: ClientID("another"), by: subject, at: grant.now)
      try require(try await stores.tokens.issue(redemption(grant)) == .notPermitted, "more scope is refused")
      try await stores.consents.allow(["write", "more"], to: client, by: subject, at: grant.now)
      try require(try await stores.tokens.issue(redemption(grant)) == .issued, "what is covered is issued")
      try require(try await stores.tokens.issue(redemption(grant)) == .alreadyUsed, "once")
    },

    Law("whichever of a redemption and a withdrawal comes first, nothing is alive afterwards") { stores in
      for _ in 0..<30 {
        let grant = GrantSpecimen()
        try await allow(grant, stores)
        let issuance = redemption(grant)
        async let redeemed = stores.tokens.issue(issuance)
        async let withdrawn: Void = withdraw(grant, stores)
        _ = try await (redeemed, withdrawn)
        let token = try await stores.tokens.accessToken(issuance.accessToken!.locator, at: grant.now)
        try require(token == nil, "no access token is alive")
        let family = try await stores.tokens.family(grant.family.locator)
        try require(family?.isRevoked != false, "no family is alive")
      }
    },
  ]

  private static func redemption(_ grant: GrantSpecimen) -> Issuance {
    var issuance = grant.redemption()
    issuance.restsOnConsent = true
    return issuance
  }

  private static func allow(_ grant: GrantSpecimen, _ stores: ConsentedStores) async throws {
    try await stores.consents.allow(
      grant.authorization.scope, to: grant.authorization.client, by: grant.authorization.subject, at: grant.now)
  }

  /// The order of the account page, which ends the families that it finds before, too.
  private static func withdraw(_ grant: GrantSpecimen, _ stores: ConsentedStores) async throws {
    let (subject, client) = (grant.authorization.subject, grant.authorization.client)
    try await stores.consents.withdraw(from: client, by: subject, at: grant.now)
    try await stores.tokens.revokeFamilies(of: subject, client: client, at: grant.now)
  }
}
