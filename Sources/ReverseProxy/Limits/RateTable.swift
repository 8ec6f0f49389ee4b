import NetworkAddress
import Synchronization

/// The buckets of one route, shared by all loops of the process, since a caller's connections are spread over them.
///
/// Loops meet here only on routes with a rate, and only when two callers share a stripe; the lock is held for a look at
/// one set. Other instances count for themselves.
public final class RateTable: Sendable {
  /// Callers of a route that are told apart: 16 bytes each.
  public static let capacity = 32_768
  private static let stripeCount = 16

  private final class Stripe: Sendable {
    let buckets: Mutex<RateBuckets>
    init(_ rule: RateRule, setCount: Int) { buckets = Mutex(RateBuckets(rule, setCount: setCount)) }
  }

  public let rule: RateRule
  private let stripes: [Stripe]

  public convenience init(_ rule: RateRule) { self.init(rule, capacity: Self.capacity) }

  init(_ rule: RateRule, capacity: Int) {
    self.rule = rule
    let setCount = max(1, capacity / Self.stripeCount / RateBuckets.placesPerSet)
    stripes = (0..<Self.stripeCount).map { _ in Stripe(rule, setCount: setCount) }
  }

  /// Counts one request of a caller.
  ///
  /// - Parameter now: monotonic nanoseconds.
  public func take(_ caller: RateCaller, at now: Int64) -> RateVerdict {
    let key = caller.key
    return stripes[Int(truncatingIfNeeded: key % UInt64(Self.stripeCount))].buckets.withLock { $0.take(key, at: now) }
  }
}

/// Whom a request is counted for.
public enum RateCaller: Sendable, Hashable {
  case client(String)
  case subject(String)
  case address(high: UInt64, low: UInt64)

  /// - Parameter address: 4 or 16 bytes; of the latter the first 8 count.
  public init(_ address: IPAddress) {
    func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    // An IPv4 address is no /64: it has a place of its own.
    self = address.bytes.count == 4
      ? .address(high: 0, low: number(address.bytes[...])) : .address(high: number(address.bytes[..<8]), low: .max)
  }

  /// - Parameter literal: an address as text; those that cannot be read have one bucket together.
  public init(literal: [UInt8]) {
    if let address = IPAddress(String(decoding: literal, as: UTF8.self)) {
      self.init(address)
    } else {
      self = .address(high: 0, low: 0)
    }
  }

  /// SipHash under a key that the process draws at start: whoever sends requests cannot aim at another's bucket or set.
  var key: UInt64 {
    var hasher = Hasher()
    hasher.combine(self)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}
