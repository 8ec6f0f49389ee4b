import Cryptography
import OAuthCore
import Synchronization

/// CloudVault's authorization codes: good for a minute, once. Source: RFC 6749 §4.1.2.
final class DemoCodes: Sendable {
  /// What a user allowed.
  struct Grant: Sendable {
    var owner: String
    var redirectURI: String
    /// Of method S256. Source: RFC 7636 §4.2.
    var challenge: String
    var scope: ScopeSet
  }

  private static let lifetime = Duration.seconds(60)
  /// Nobody clicks faster; the oldest makes room.
  private static let countMax = 100

  private let clock: any WallClock
  private let random: any RandomSource
  private let grants = Mutex<[(code: Secret, expiresAt: Timestamp, grant: Grant)]>([])

  init(clock: any WallClock, random: any RandomSource) {
    self.clock = clock
    self.random = random
  }

  func issue(_ grant: Grant) -> String {
    let code = Base64URL.encode(random.bytes(32))
    let expiresAt = clock.now + Self.lifetime
    grants.withLock { grants in
      if grants.count >= Self.countMax { grants.removeFirst() }
      grants.append((Secret(code), expiresAt, grant))
    }
    return code
  }

  /// A code is used up by whoever presents it, rightly or not.
  func redeem(_ code: String, redirectURI: String, verifier: String) -> Grant? {
    let presented = Secret(code)
    let now = clock.now
    let found = grants.withLock { grants in
      grants.firstIndex { $0.code == presented }.map { grants.remove(at: $0) }
    }
    guard let found, now < found.expiresAt, found.grant.redirectURI == redirectURI,
      Base64URL.encode(SHA256.digest(verifier).bytes) == found.grant.challenge
    else { return nil }
    return found.grant
  }
}
