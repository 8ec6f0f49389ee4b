/// What a rate limit says to one request.
public struct RateVerdict: Sendable, Equatable {
  public let isAllowed: Bool
  /// Requests that would be allowed now, after this one.
  public let remaining: Int
  /// Until the bucket is full again. Seconds, rounded up.
  public let secondsUntilFull: Int
  /// Until a request would be allowed, at least 1 for one that was not; 0 for one that was. Seconds, rounded up.
  public let retryAfter: Int
}

/// The token bucket as one number: the moment at which it will be full.
///
/// A request moves that moment on by what it is worth, if it does not lie further ahead then than a bucket takes to fill.
/// A bucket whose moment has passed is full, and as good as forgotten: it holds nothing that a new one would not.
///
/// Source: ITU-T I.371 Annex A, the virtual scheduling algorithm (GCRA).
struct TokenBucket: Sendable, Equatable {
  /// Monotonic nanoseconds.
  var fullAt: Int64

  mutating func take(_ rule: RateRule, at now: Int64) -> RateVerdict {
    // Never further ahead than an empty bucket: the times of two loops are a turn apart.
    let debt = min(max(fullAt, now) - now, rule.fillTime)
    let isAllowed = debt + rule.interval <= rule.fillTime
    fullAt = now + debt + (isAllowed ? rule.interval : 0)
    let left = rule.fillTime - (fullAt - now)
    return RateVerdict(
      isAllowed: isAllowed, remaining: Int(left / rule.interval), secondsUntilFull: Self.seconds(fullAt - now),
      retryAfter: isAllowed ? 0 : max(1, Self.seconds(rule.interval - left)))
  }

  private static func seconds(_ nanoseconds: Int64) -> Int { Int((nanoseconds + 999_999_999) / 1_000_000_000) }
}
