import EventLoop

/// Delays between attempts to connect: doubling, with jitter so that many loops do not come back at the same moment.
struct Backoff {
  static let first: Duration = .milliseconds(50)
  static let max: Duration = .seconds(2)

  private var ceiling = Self.first

  /// - Returns: between half of the current ceiling and all of it.
  mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
    let nanoseconds = ceiling.nanoseconds
    ceiling = ceiling * 2 < Self.max ? ceiling * 2 : Self.max
    return .nanoseconds(Int64.random(in: nanoseconds / 2...nanoseconds, using: &random))
  }

  mutating func reset() { ceiling = Self.first }
}

