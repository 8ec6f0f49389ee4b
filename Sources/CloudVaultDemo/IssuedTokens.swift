import Cryptography
import OAuthCore
import Synchronization

/// The bearer tokens that the demo has issued; only their digests are kept.
final class IssuedTokens: Sendable {
  let lifetime: Duration
  private let clock: any WallClock
  private let random: any RandomSource
  private let expiries = Mutex<[Digest256: Timestamp]>([:])

  /// One more makes room by dropping what has expired, and then the oldest.
  static let countMax = 1024

  init(lifetime: Duration, clock: any WallClock, random: any RandomSource) {
    self.lifetime = lifetime
    self.clock = clock
    self.random = random
  }

  func issue() -> Secret {
    let token = Secret("cv_" + Base64URL.encode(random.bytes(32)))
    let now = clock.now
    expiries.withLock { expiries in
      if expiries.count >= Self.countMax {
        expiries = expiries.filter { $0.value > now }
        if expiries.count >= Self.countMax, let oldest = expiries.min(by: { $0.value < $1.value }) {
          expiries[oldest.key] = nil
        }
      }
      expiries[SHA256.digest(token)] = now + lifetime
    }
    return token
  }

  func isLive(_ token: String) -> Bool {
    let now = clock.now
    return expiries.withLock { $0[SHA256.digest(token)].map { now < $0 } ?? false }
  }
}
