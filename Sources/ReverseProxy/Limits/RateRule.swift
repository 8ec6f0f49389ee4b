/// How many requests a route takes of each caller: a token bucket per key.
public struct RateRule: Sendable, Hashable {
  /// What counts as one caller.
  public enum Key: String, Sendable, Hashable, CaseIterable {
    /// The client that the access token was issued to; of a browser session, its user.
    case client
    /// Whom the access token or session speaks for.
    case subject
    /// The caller's address, as trusted proxies tell it: an IPv4 address, or an IPv6 /64, since whoever has one address
    /// of that has them all.
    case address
  }

  public let key: Key
  /// Requests per `period` in the long run; at least 1.
  public let count: Int
  /// 1 s, 60 s or 3600 s. Seconds.
  public let period: Int
  /// Requests at once, after a rest; at least 1.
  public let burst: Int

  /// Beyond, a limit protects nothing, and the arithmetic in nanoseconds would have to be watched.
  public static let countMax = 1_000_000
  public static let burstMax = 1_000_000

  /// - Parameter burst: nil: as many as in a period.
  public init(key: Key, count: Int, period: Int, burst: Int? = nil) {
    precondition((1...Self.countMax).contains(count) && (1...3600).contains(period), "a rate within its bounds")
    self.key = key
    self.count = count
    self.period = period
    self.burst = burst ?? count
    precondition((1...Self.burstMax).contains(self.burst), "a burst within its bounds")
  }

  /// Nanoseconds that one request is worth.
  var interval: Int64 { Int64(period) * 1_000_000_000 / Int64(count) }

  /// Nanoseconds in which an empty bucket fills.
  var fillTime: Int64 { interval * Int64(burst) }
}
