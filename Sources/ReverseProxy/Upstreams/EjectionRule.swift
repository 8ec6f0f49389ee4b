/// When a server that fails requests is left out for a while.
public struct EjectionRule: Sendable, Hashable {
  /// Failures in a row: connections that do not come about or break before the answer, answers that do not come in time,
  /// and 502, 503 or 504.
  public var after = 5
  /// For the first time; each further ejection in a row is longer by as much.
  public var period: Duration = .seconds(30)
  /// Percent of the servers that may be ejected at once. 0: none ever is. Below 100 one always stays, and when the others
  /// are found unhealthy, ejected ones are used rather than none; with 100 requests are answered 503 while all are ejected.
  public var share = 50

  /// Longer than this no server is left out, unless `period` is.
  public static let periodMax: Duration = .seconds(300)

  public init() {}

  /// How many of an upstream's servers may be ejected at once: of several one at least, whatever the share comes to.
  public func ejectedCountMax(of count: Int) -> Int {
    guard share > 0 else { return 0 }
    if share >= 100 { return count }
    return min(max(count * share / 100, 1), count - 1)
  }

  /// Whether servers that are ejected serve when no other can.
  public var yieldsWhenAllAreGone: Bool { share < 100 }
}
