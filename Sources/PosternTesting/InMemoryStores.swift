import OAuthCore
import Synchronization

/// `SessionStore` in memory.
public final class InMemorySessionStore: SessionStore {
  private let sessions = Mutex<[Locator: BrowserSession]>([:])

  public init() {}

  public func begin(_ session: BrowserSession, replacing old: Locator?) async throws(StoreFailure) {
    sessions.withLock { sessions in
      if let old { sessions[old] = nil }
      sessions[session.locator] = session
    }
  }

  public func session(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> BrowserSession? {
    sessions.withLock { $0[locator] }.flatMap { now < $0.expiresAt ? $0 : nil }
  }

  public func end(_ locator: Locator) async throws(StoreFailure) { sessions.withLock { $0[locator] = nil } }
}

/// `ConsentStore` in memory.
public final class InMemoryConsentStore: ConsentStore {
  private let consents = Mutex<[Consent]>([])
  private let failing = Mutex<StoreFailure?>(nil)

  public init() {}

  /// Makes every look-up fail until it is set to nil again.
  public var failure: StoreFailure? {
    get { failing.withLock { $0 } }
    set { failing.withLock { $0 = newValue } }
  }

  public func consent(of subject: Subject, for client: ClientID) async throws(StoreFailure) -> Consent? {
    if let failure { throw failure }
    return consents.withLock { $0.first { $0.subject == subject && $0.client == client } }
  }

  public func consents(of subject: Subject) async throws(StoreFailure) -> [Consent] {
    consents.withLock { $0.filter { $0.subject == subject } }
  }

  public func allow(_ scope: ScopeSet, to client: ClientID, by subject: Subject, at now: Timestamp)
    async throws(StoreFailure)
  {
    consents.withLock { consents in
      if let index = consents.firstIndex(where: { $0.subject == subject && $0.client == client }) {
        consents[index].scope = consents[index].scope.union(scope)
        consents[index].grantedAt = now
      } else {
        consents.append(Consent(subject: subject, client: client, scope: scope, grantedAt: now))
      }
    }
  }

  public func withdraw(from client: ClientID, by subject: Subject, at now: Timestamp) async throws(StoreFailure) {
    consents.withLock { $0.removeAll { $0.subject == subject && $0.client == client } }
  }

  func covers(_ authorization: Authorization) -> Bool {
    consents.withLock { consents in
      consents.contains {
        $0.subject == authorization.subject && $0.client == authorization.client
          && authorization.scope.isSubset(of: $0.scope)
      }
    }
  }
}

/// `SigningKeyStore` in memory.
public final class InMemorySigningKeyStore: SigningKeyStore {
  private let keys = Mutex<[StoredSigningKey]>([])

  public init() {}

  public func signingKeys() async throws(StoreFailure) -> [StoredSigningKey] { keys.withLock { $0 } }

  public func establish(_ candidate: StoredSigningKey) async throws(StoreFailure) -> [StoredSigningKey] {
    keys.withLock { keys in
      if !keys.contains(where: { $0.algorithm == candidate.algorithm }) { keys.append(candidate) }
      return keys
    }
  }

  public func reseal(_ key: StoredSigningKey, as sealed: [UInt8]) async throws(StoreFailure) {
    keys.withLock { keys in
      for index in keys.indices where keys[index].keyID == key.keyID { keys[index].sealedPrivateKey = sealed }
    }
  }
}
