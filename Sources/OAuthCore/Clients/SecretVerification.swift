import Cryptography
import Synchronization

/// Compares presented secrets with what is kept of them; every refusal costs one scrypt, whatever its cause.
///
/// A scrypt costs tens of milliseconds by design, so a success is remembered, as a keyed digest and within bounds: a
/// client that authenticates on each request pays it once.
public final class SecretVerification: Sendable {
  /// Successes remembered in each of two generations; the older is forgotten when the younger is full.
  static let rememberedCountMax = 2048

  /// Nobody's hash, with the parameters that `Scrypt.hash` gives every other one.
  public static let nobody =
    "$scrypt$ln=14,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

  private struct Remembered {
    var young: Set<Digest256> = []
    var old: Set<Digest256> = []
  }

  private let work: any BlockingWork
  private let key: Secret
  private let dummy: String
  private let remembered = Mutex(Remembered())

  /// - Parameter dummy: a PHC string to verify against when there is nothing else; as costly as the hashes in use.
  public init(work: any BlockingWork, random: any RandomSource, dummy: String = SecretVerification.nobody) {
    self.work = work
    self.dummy = dummy
    key = Secret(bytes: random.bytes(32))
  }

  /// Whether `secret` is known to be right without a scrypt: one of 256 bits, or one that was verified before.
  func matchesAtOnce(_ secret: Secret, anyOf verifiers: [SecretVerifier]) -> Bool {
    let digest = SHA256.digest(secret)
    var isMatch = false
    for verifier in verifiers {
      switch verifier {
      case .sha256(let known): isMatch = isMatch || known == digest
      case .scrypt(let hash): isMatch = isMatch || isRemembered(remembrance(of: secret, hash))
      }
    }
    return isMatch
  }

  /// Whether `secret` is one of the secrets that `verifiers` were made of.
  ///
  /// - Throws: `overloaded` when too many verifications wait.
  public func matches(_ secret: Secret, anyOf verifiers: [SecretVerifier]) async throws(StoreFailure) -> Bool {
    if matchesAtOnce(secret, anyOf: verifiers) { return true }
    var hashes = verifiers.compactMap { if case .scrypt(let hash) = $0 { hash } else { nil } }
    if hashes.isEmpty { hashes.append(dummy) }
    for hash in hashes where try await verify(secret, hash) {
      remember(remembrance(of: secret, hash))
      return true
    }
    return false
  }

  /// A password's check, not remembered: people sign in seldom, and a changed password must end the old one at once.
  ///
  /// - Parameter hash: nil for an account that does not exist; the answer is then `false`, after the same time.
  public func matches(password: Secret, hash: String?) async throws(StoreFailure) -> Bool {
    try await verify(password, hash ?? dummy) && hash != nil
  }

  private func verify(_ secret: Secret, _ hash: String) async throws(StoreFailure) -> Bool {
    try await work.run { Scrypt.verify(password: secret, phc: hash) }
  }

  /// Bound to the stored hash, so that a replaced secret is not remembered.
  private func remembrance(of secret: Secret, _ hash: String) -> Digest256 {
    HMACSHA256.authenticate(Array(hash.utf8) + [0] + secret.exposedBytes, key: key)
  }

  private func isRemembered(_ digest: Digest256) -> Bool {
    remembered.withLock { $0.young.contains(digest) || $0.old.contains(digest) }
  }

  private func remember(_ digest: Digest256) {
    remembered.withLock { remembered in
      if remembered.young.count >= Self.rememberedCountMax {
        remembered.old = remembered.young
        remembered.young = []
      }
      remembered.young.insert(digest)
    }
  }
}
