import Cryptography
import Synchronization

/// A source of randomness that a test can repeat. Never for real secrets.
public final class SeededRandom: RandomSource {
  private let generator: Mutex<SplitMix>

  public init(seed: UInt64 = 1) { generator = Mutex(SplitMix(seed: seed)) }

  public func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count { withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) } }
    return Array(bytes.prefix(count))
  }

  public func words() -> (UInt64, UInt64) { (next(), next()) }

  public func next() -> UInt64 { generator.withLock { $0.next() } }
}
