import OAuthCore

/// Tells this process of a revocation before its caller hears that it worked, so that whoever revokes a token here finds it
/// dead here with the next request. The others hear of it through the change log.
struct AnnouncingTokenStore<Base: TokenStore>: TokenStore {
  let base: Base
  let observer: any ChangeObserver

  func issue(_ issuance: Issuance) async throws(StoreFailure) -> IssuanceOutcome {
    let outcome = try await base.issue(issuance)
    if outcome == .alreadyUsed, let family = issuance.family { observer.apply([.familyRevoked(family.locator)]) }
    return outcome
  }

  func refresh(_ refresh: RefreshUse) async throws(StoreFailure) -> RefreshOutcome {
    let outcome = try await base.refresh(refresh)
    if case .refused(.reused) = outcome { observer.apply([.familyRevoked(refresh.family)]) }
    return outcome
  }

  func accessToken(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> StoredToken? {
    try await base.accessToken(locator, at: now)
  }

  func family(_ locator: Locator) async throws(StoreFailure) -> StoredFamily? { try await base.family(locator) }

  func revokeAccessToken(_ locator: Locator, expiresAt: Timestamp, at now: Timestamp) async throws(StoreFailure) {
    try await base.revokeAccessToken(locator, expiresAt: expiresAt, at: now)
    observer.apply([.accessTokenRevoked(locator)])
  }

  func revokeFamily(_ locator: Locator, reason: RevocationReason, at now: Timestamp) async throws(StoreFailure) {
    try await base.revokeFamily(locator, reason: reason, at: now)
    observer.apply([.familyRevoked(locator)])
  }

  /// The families' ids stay in the database: this process, too, hears of them through the change log.
  func revokeFamilies(of subject: Subject, client: ClientID, at now: Timestamp) async throws(StoreFailure) {
    try await base.revokeFamilies(of: subject, client: client, at: now)
  }

  func isRevoked(jwtID: Locator, family: Locator?) async throws(StoreFailure) -> Bool {
    try await base.isRevoked(jwtID: jwtID, family: family)
  }
}
