import Cryptography
import JSON
import Synchronization

extension KeyPurpose {
  static let signingKey: KeyPurpose = "signing-key"
}

/// The server's own signing keys: the newest signs, all are published and verify.
public final class SigningKeys: Sendable {
  public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
    case store(StoreFailure)
    /// The ring lacks the key that sealed it, or the record was altered.
    case cannotOpen(keyID: String)

    public var description: String {
      switch self {
      case .store: "The signing keys cannot be read: the database does not answer."
      case .cannotOpen(let id):
        "The signing key '\(id)' cannot be opened: keep the ring key that sealed it in keys.ring."
      }
    }
  }

  private struct Current: Sendable {
    let signing: SigningKey
    let published: JWKSet
    let verifying: VerificationKeySet

    /// - Parameter keys: newest first, at least one.
    init(_ keys: [SigningKey]) {
      signing = keys[0]
      published = JWKSet(keys: keys.map(\.publicJWK))
      verifying = VerificationKeySet(published)
    }
  }

  private let current: Mutex<Current>

  /// - Parameter keys: newest first, at least one.
  public init(_ keys: [SigningKey]) {
    precondition(!keys.isEmpty, "a server has a signing key")
    current = Mutex(Current(keys))
  }

  /// Reads the keys from the store and makes the first one when there is none. Of several instances that start together,
  /// one wins and all use its key.
  public static func load(from store: any SigningKeyStore, ring: KeyRing, at now: Timestamp) async throws(Failure)
    -> SigningKeys
  {
    var stored: [StoredSigningKey]
    do {
      stored = try await store.signingKeys()
      if stored.isEmpty { stored = try await store.establish(sealed(SigningKey.generate(.es256), ring, at: now)) }
    } catch {
      throw .store(error)
    }
    return SigningKeys(try opened(stored, ring))
  }

  /// Takes over what the store has now; after `Change.signingKeysChanged`. On failure the old keys stay.
  public func reload(from store: any SigningKeyStore, ring: KeyRing) async throws(Failure) {
    let stored: [StoredSigningKey]
    do { stored = try await store.signingKeys() } catch { throw .store(error) }
    guard !stored.isEmpty else { return }
    let reloaded = Current(try Self.opened(stored, ring))
    current.withLock { $0 = reloaded }
  }

  /// Seals the stored keys anew under the ring's active key, where they are not; instances that run hold them open.
  ///
  /// - Returns: how many.
  public static func reseal(in store: any SigningKeyStore, ring: KeyRing) async throws(Failure) -> Int {
    let stored: [StoredSigningKey]
    do { stored = try await store.signingKeys() } catch { throw .store(error) }
    let stale = stored.filter { KeyRing.keyID(of: $0.sealedPrivateKey) != ring.ids[0] }
    for record in stale {
      guard let key = try opened([record], ring).first else { continue }
      let resealed = sealed(key, ring, at: record.createdAt)
      do { try await store.reseal(record, as: resealed.sealedPrivateKey) } catch { throw .store(error) }
    }
    return stale.count
  }

  /// What `/oauth/jwks` shows. Source: RFC 7517 §5.
  public var published: JWKSet { current.withLock { $0.published } }

  /// Distinct algorithms, for the metadata.
  public var algorithms: [SignatureAlgorithm] {
    var algorithms: [SignatureAlgorithm] = []
    for key in published.keys where !algorithms.contains(key.algorithm) { algorithms.append(key.algorithm) }
    return algorithms
  }

  var verifying: VerificationKeySet { current.withLock { $0.verifying } }

  func sign(_ claims: JSONObject, type: String) -> String {
    JWT.sign(claims, type: type, with: current.withLock { $0.signing })
  }

  /// Bound to its key id, so that one stored key cannot take the place of another.
  private static func sealed(_ key: SigningKey, _ ring: KeyRing, at now: Timestamp) -> StoredSigningKey {
    StoredSigningKey(
      keyID: key.id, algorithm: key.algorithm.rawValue,
      sealedPrivateKey: ring.seal(
        key.jwk.exposedPrivateJSON.bytes, purpose: .signingKey, associatedData: Array(key.id.utf8)),
      createdAt: now)
  }

  private static func opened(_ stored: [StoredSigningKey], _ ring: KeyRing) throws(Failure) -> [SigningKey] {
    let newestFirst = stored.sorted { ($0.createdAt, $0.keyID) > ($1.createdAt, $1.keyID) }
    var keys: [SigningKey] = []
    for record in newestFirst {
      let opened = ring.open(record.sealedPrivateKey, purpose: .signingKey, associatedData: Array(record.keyID.utf8))
      guard let opened, let jwk = try? JWK(parsing: opened), let key = try? SigningKey(jwk), key.id == record.keyID
      else {
        throw .cannotOpen(keyID: record.keyID)
      }
      keys.append(key)
    }
    return keys
  }
}
