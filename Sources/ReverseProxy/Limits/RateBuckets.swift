/// The buckets of one route's callers: a table of a fixed size, in sets of a few places each.
///
/// A caller without a place takes that of the fullest bucket of its set. If that one is full, nothing is lost: a full
/// bucket is like one that never was. If it is not, the newcomer takes over what is missing from it. So no caller ever
/// finds its bucket fuller than it left it: neither by being forgotten, nor by coming as many. Whoever has more keys than
/// there are places only makes strangers begin with less than a full bucket, and has to keep all of the set's buckets
/// low for that, at their full rate.
///
/// Source: Metwally et al., Efficient Computation of Frequent and Top-k Elements in Data Streams (2005), Space-Saving.
struct RateBuckets: Sendable {
  static let placesPerSet = 8

  private struct Place: Sendable {
    /// 0: nobody's yet.
    var key: UInt64
    var bucket: TokenBucket
  }

  private let rule: RateRule
  private let setCount: Int
  /// Empty until the first request, since many routes are limited and few are busy.
  private var places: [Place] = []

  /// - Parameter setCount: a power of two.
  init(_ rule: RateRule, setCount: Int) {
    precondition(setCount > 0 && setCount & (setCount - 1) == 0, "sets are found by a mask")
    self.rule = rule
    self.setCount = setCount
  }

  /// Counts one request.
  ///
  /// - Parameters:
  ///   - key: a keyed hash of whom the request is counted for; nobody can choose it.
  ///   - now: monotonic nanoseconds.
  mutating func take(_ key: UInt64, at now: Int64) -> RateVerdict {
    if places.isEmpty {
      places = Array(repeating: Place(key: 0, bucket: TokenBucket(fullAt: .min)), count: setCount * Self.placesPerSet)
    }
    let key = key == 0 ? 1 : key
    // The low bits choose the stripe of a `RateTable`.
    let first = Int(truncatingIfNeeded: (key >> 32) & UInt64(setCount - 1)) * Self.placesPerSet
    var chosen = first
    for index in first..<first + Self.placesPerSet {
      if places[index].key == key {
        chosen = index
        break
      }
      if places[index].bucket.fullAt < places[chosen].bucket.fullAt { chosen = index }
    }
    places[chosen].key = key
    return places[chosen].bucket.take(rule, at: now)
  }
}
