import Cryptography
import OAuthCore
import Synchronization

/// `TokenStore` in memory: every operation is one step under one lock, as a statement is in the database.
public final class InMemoryTokenStore: TokenStore {
  fileprivate struct FamilyRecord {
    var stored: StoredFamily
    /// The token that the current one replaced, and when.
    var previousHash: Digest256?
    var rotatedAt: Timestamp?
  }

  fileprivate struct State {
    var tokens: [Locator: StoredToken] = [:]
    var families: [Locator: FamilyRecord] = [:]
    var used: Set<OneTimeArtefactKey> = []
    var revokedTokens: Set<Locator> = []
    var observers: [any ChangeObserver] = []
    var failure: StoreFailure?
    var operations = 0
  }

  fileprivate struct OneTimeArtefactKey: Hashable {
    let kind: String
    let id: [UInt8]
  }

  private let state = Mutex(State())
  private let consents: InMemoryConsentStore

  /// - Parameter consents: where issuances that rest on a consent look for it.
  public init(consents: InMemoryConsentStore = InMemoryConsentStore()) { self.consents = consents }

  /// Makes every operation fail until it is set to nil again: a database that is down.
  public var failure: StoreFailure? {
    get { state.withLock { $0.failure } }
    set { state.withLock { $0.failure = newValue } }
  }

  /// How many operations were asked for.
  public var operationCount: Int { state.withLock { $0.operations } }

  /// Hears of every change from now on.
  public func add(_ observer: any ChangeObserver) { state.withLock { $0.observers.append(observer) } }

  /// One statement: counted, refused while the store is down, its changes told afterwards.
  private func statement<Result: Sendable>(
    _ body: (inout State, inout [Change]) -> sending Result
  ) throws(StoreFailure) -> Result {
    var changes: [Change] = []
    var observers: [any ChangeObserver] = []
    let result: Swift.Result<Result, StoreFailure> = state.withLock { state in
      state.operations += 1
      if let failure = state.failure { return .failure(failure) }
      let result = body(&state, &changes)
      observers = state.observers
      return .success(result)
    }
    if !changes.isEmpty { for observer in observers { observer.apply(changes) } }
    return try result.get()
  }

  public func issue(_ issuance: Issuance) async throws(StoreFailure) -> IssuanceOutcome {
    try statement { state, changes in
      guard !issuance.restsOnConsent || consents.covers(issuance.authorization) else { return .notPermitted }
      let keys = issuance.consumes.map { OneTimeArtefactKey(kind: $0.kind, id: $0.id) }
      let areFresh = issuance.consumes.allSatisfy { issuance.now < $0.expiresAt }
      guard areFresh, state.used.isDisjoint(with: keys), Set(keys).count == keys.count else {
        if let family = issuance.family { state.revoke(family.locator, &changes) }
        return .alreadyUsed
      }
      state.used.formUnion(keys)
      if let family = issuance.family {
        state.families[family.locator] = FamilyRecord(
          stored: StoredFamily(
            authorization: issuance.authorization, refreshHash: family.refreshHash, expiresAt: family.expiresAt,
            idleExpiresAt: family.idleExpiresAt, isRevoked: false))
      }
      if let token = issuance.accessToken {
        state.record(token, issuance.authorization, issuance.family?.locator)
      }
      return .issued
    }
  }

  public func refresh(_ use: RefreshUse) async throws(StoreFailure) -> RefreshOutcome {
    try statement { state, changes in
      guard
        var family = state.families[use.family], !family.stored.isRevoked,
        family.stored.authorization.client == use.client,
        use.now < family.stored.expiresAt, use.now < family.stored.idleExpiresAt
      else { return .refused(.invalid) }

      // The token's tag was good, so one that is neither current nor just superseded belonged to the family once.
      guard let current = family.stored.refreshHash else { return .refused(.invalid) }
      let isCurrent = current == use.presentedHash
      let isInGrace =
        family.previousHash == use.presentedHash && family.rotatedAt.map { use.now < $0 + use.grace } == true
      guard isCurrent || isInGrace else {
        state.revoke(use.family, &changes)
        return .refused(.reused)
      }
      guard isCurrent || current == use.successorHash else { return .refused(.invalid) }

      var authorization = family.stored.authorization
      if let scope = use.scope {
        guard scope.isSubset(of: authorization.scope) else { return .refused(.scopeExceeded) }
        authorization.scope = scope
      }
      if let audience = use.audience {
        guard audience.allSatisfy(authorization.audience.contains) else { return .refused(.audienceExceeded) }
        authorization.audience = audience
      }

      if isCurrent {
        family.previousHash = use.presentedHash
        family.rotatedAt = use.now
        family.stored.refreshHash = use.successorHash
      }
      family.stored.idleExpiresAt = min(use.idleExpiresAt, family.stored.expiresAt)
      state.families[use.family] = family
      if let token = use.accessToken { state.record(token, authorization, use.family) }
      return .refreshed(authorization, familyExpiresAt: family.stored.expiresAt)
    }
  }

  public func accessToken(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> StoredToken? {
    try statement { state, _ in
      guard let token = state.tokens[locator], now < token.expiresAt, !state.revokedTokens.contains(locator) else {
        return nil
      }
      if let family = token.family {
        guard let record = state.families[family], !record.stored.isRevoked else { return nil }
      }
      return token
    }
  }

  public func family(_ locator: Locator) async throws(StoreFailure) -> StoredFamily? {
    try statement { state, _ in state.families[locator]?.stored }
  }

  public func revokeAccessToken(_ locator: Locator, expiresAt: Timestamp, at now: Timestamp) async throws(StoreFailure)
  {
    try statement { state, changes in
      guard now < expiresAt, state.revokedTokens.insert(locator).inserted else { return }
      changes.append(.accessTokenRevoked(locator))
    }
  }

  public func revokeFamily(_ locator: Locator, reason: RevocationReason, at now: Timestamp) async throws(StoreFailure) {
    try statement { state, changes in state.revoke(locator, &changes) }
  }

  public func revokeFamilies(of subject: Subject, client: ClientID, at now: Timestamp) async throws(StoreFailure) {
    try statement { state, changes in
      for (locator, family) in state.families
      where family.stored.authorization.subject == subject && family.stored.authorization.client == client {
        state.revoke(locator, &changes)
      }
    }
  }

  public func isRevoked(jwtID: Locator, family: Locator?) async throws(StoreFailure) -> Bool {
    try statement { state, _ in
      state.revokedTokens.contains(jwtID) || family.map { state.families[$0]?.stored.isRevoked != false } == true
    }
  }
}

extension InMemoryTokenStore.State {
  fileprivate mutating func revoke(_ family: Locator, _ changes: inout [Change]) {
    guard families[family]?.stored.isRevoked == false else { return }
    families[family]?.stored.isRevoked = true
    changes.append(.familyRevoked(family))
  }

  /// A token does not outlive its family.
  fileprivate mutating func record(_ token: NewAccessToken, _ authorization: Authorization, _ family: Locator?) {
    let familyEnd = family.flatMap { families[$0]?.stored.expiresAt } ?? token.expiresAt
    tokens[token.locator] = StoredToken(
      secretHash: token.secretHash, authorization: authorization, family: family,
      expiresAt: min(token.expiresAt, familyEnd))
  }
}
