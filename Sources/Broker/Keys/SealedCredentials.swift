import Cryptography
import OAuthCore

/// Everything of connections that is sealed, as a whole: whether the key ring opens it, and sealing it anew under the
/// ring's active key while instances read and write it.
public struct SealedCredentials: Sendable {
  public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
    case store(StoreFailure)
    case missingKey(id: String)
    case wrongSecret(id: String)

    public var description: String {
      switch self {
      case .store: "The connections cannot be read: the database does not answer."
      case .missingKey(let id):
        "Connections are sealed under the key '\(id)', which keys.ring does not have: put it back; it may go after `postern keys rewrap`."
      case .wrongSecret(let id):
        "The secret of the key '\(id)' in keys.ring is not the one under which connections were sealed: put the right one back."
      }
    }
  }

  /// What a run has done.
  public struct Progress: Sendable, Equatable {
    public var connections = 0
    public var resealed = 0
    /// Changed by an instance at the same moment; another run looks at them again.
    public var missed = 0
    /// Opened by no key of the ring, and left as they are: their users have to connect again.
    public var unreadable = 0

    public init() {}
  }

  /// Connections in one statement: a fraction of a second, so that an interrupted run has lost little.
  public static let pageCount = 500

  private static let checkPurpose: KeyPurpose = "key check"

  private let store: any SealedCredentialStore
  private let ring: KeyRing
  private let sealer: CredentialSealer

  public init(store: any SealedCredentialStore, keyRing: KeyRing) {
    self.store = store
    ring = keyRing
    sealer = CredentialSealer(ring: keyRing)
  }

  /// Each key that was ever in a ring has a check on record, sealed under itself: what does not open is a wrong secret
  /// there, and a damaged row anywhere else, which keeps nobody from starting.
  ///
  /// - Throws: when the ring lacks a key under which something is sealed, or has another secret for one.
  public func requireReadable() async throws(Failure) {
    let (used, checks): (Set<String>, [String: [UInt8]?])
    do {
      checks = try await store.establish(checks: Dictionary(uniqueKeysWithValues: ring.ids.map { ($0, check(of: $0)) }))
      used = try await store.keyIDs()
    } catch {
      throw .store(error)
    }
    for (id, check) in checks.sorted(by: { $0.key < $1.key }) {
      if ring.ids.contains(id) {
        guard let check, ring.open(check, purpose: Self.checkPurpose, associatedData: Array(id.utf8)) != nil else {
          throw .wrongSecret(id: id)
        }
      } else if used.contains(id) {
        throw .missingKey(id: id)
      }
    }
  }

  private func check(of id: String) -> [UInt8] {
    ring.seal([], under: id, purpose: Self.checkPurpose, associatedData: Array(id.utf8))
  }

  /// Goes through all connections. Interrupted, it begins again and passes over what it has done.
  ///
  /// - Parameter report: called after each page.
  public func rewrap(
    pageCount: Int = pageCount, report: (Progress) -> Void
  ) async throws(StoreFailure) -> Progress {
    var progress = Progress()
    var position: Locator?
    while true {
      let page = try await store.page(after: position, count: pageCount, sealedUnderOthersThan: ring.ids[0])
      guard let last = page.last else { return progress }
      position = last
      progress.connections += page.connectionCount
      var replacements: [SealedReplacement] = []
      for row in page.rows {
        if let sealed = sealer.reseal(row.credential, of: row.key) {
          replacements.append(SealedReplacement(position: row.position, old: row.credential.sealed, new: sealed))
        } else {
          progress.unreadable += 1
        }
      }
      let replaced = replacements.isEmpty ? 0 : try await store.replace(replacements)
      progress.resealed += replaced
      progress.missed += replacements.count - replaced
      report(progress)
    }
  }
}
