import OAuthCore
import Synchronization

/// `ClientDirectory` in memory.
public final class InMemoryClientDirectory: ClientDirectory {
  private struct State {
    var clients: [ClientID: Client]
    var failure: StoreFailure?
  }

  private let state: Mutex<State>

  public init(_ clients: [Client] = []) {
    state = Mutex(State(clients: Dictionary(uniqueKeysWithValues: clients.map { ($0.id, $0) })))
  }

  /// Adds a client, or replaces the one of its id.
  public func set(_ client: Client) { state.withLock { $0.clients[client.id] = client } }

  /// Makes every look-up fail until it is set to nil again.
  public var failure: StoreFailure? {
    get { state.withLock { $0.failure } }
    set { state.withLock { $0.failure = newValue } }
  }

  public func client(_ id: ClientID) async throws(StoreFailure) -> Client? {
    let (client, failure) = state.withLock { ($0.clients[id], $0.failure) }
    if let failure { throw failure }
    return client
  }
}

/// `AccountDirectory` in memory.
public final class InMemoryAccountDirectory: AccountDirectory {
  private let accounts: Mutex<[Account]>

  public init(_ accounts: [Account] = []) { self.accounts = Mutex(accounts) }

  /// Adds an account, or replaces the one of its subject.
  public func set(_ account: Account) {
    accounts.withLock { accounts in
      accounts.removeAll { $0.subject == account.subject }
      accounts.append(account)
    }
  }

  public func account(username: String) async throws(StoreFailure) -> Account? {
    accounts.withLock { $0.first { $0.username == username } }
  }

  public func account(subject: Subject) async throws(StoreFailure) -> Account? {
    accounts.withLock { $0.first { $0.subject == subject } }
  }
}
