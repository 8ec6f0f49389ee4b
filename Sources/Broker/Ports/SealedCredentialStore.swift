import OAuthCore

/// The sealed credentials of all connections, current and kept, for those who care about keys.
public protocol SealedCredentialStore: Sendable {
  /// The ids that credentials name as their keys'; those of damaged ones may be of no key.
  func keyIDs() async throws(StoreFailure) -> Set<String>

  /// Records a check of each key that has none yet.
  ///
  /// - Parameter checks: sealed, by the ids of the keys.
  /// - Returns: the checks of all keys that ever had one; nil: the key was in use before there were checks.
  func establish(checks: [String: [UInt8]]) async throws(StoreFailure) -> [String: [UInt8]?]

  /// The key counts as one that never was.
  func forgetCheck(of keyID: String) async throws(StoreFailure)

  /// The next connections, and which of their credentials are sealed under other keys.
  func page(
    after position: Locator?, count: Int, sealedUnderOthersThan keyID: String
  ) async throws(StoreFailure) -> SealedPage

  /// Replaces what is still as it was read.
  ///
  /// - Returns: how many were.
  func replace(_ replacements: [SealedReplacement]) async throws(StoreFailure) -> Int
}

/// One sealed credential with what it is bound to.
public struct SealedRow: Sendable, Equatable {
  /// The connection's, in the order of pages.
  public var position: Locator
  public var key: ConnectionKey
  public var credential: StoredCredential

  public init(position: Locator, key: ConnectionKey, credential: StoredCredential) {
    self.position = position
    self.key = key
    self.credential = credential
  }
}

public struct SealedPage: Sendable, Equatable {
  public var rows: [SealedRow]
  public var connectionCount: Int
  /// nil: there are no more connections.
  public var last: Locator?

  public init(rows: [SealedRow], connectionCount: Int, last: Locator?) {
    self.rows = rows
    self.connectionCount = connectionCount
    self.last = last
  }
}

public struct SealedReplacement: Sendable, Equatable {
  public var position: Locator
  public var old: [UInt8]
  public var new: [UInt8]

  public init(position: Locator, old: [UInt8], new: [UInt8]) {
    self.position = position
    self.old = old
    self.new = new
  }
}
