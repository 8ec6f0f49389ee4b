/// Holds the further tries of an upstream below a share of its requests; one per upstream and loop.
///
/// What requests earn and nobody spends is kept up to a limit, so that a server that dies with requests under way hurts no
/// one; a little is earned by time, so that an upstream with few requests has some too.
public struct RetryBudget: Sendable {
  /// Tries that may be saved up.
  static let savedMax = 100
  /// At the start.
  static let savedFirst = 10
  /// Nanoseconds in which one try is earned without any request.
  static let timePerTry: Int64 = 1_000_000_000

  /// In hundredths of a try.
  private var saved = savedFirst * 100
  private var requestCount: UInt64 = 0
  private var time: Int64?

  public init() {}

  /// Spends one try if there is one.
  ///
  /// - Parameters:
  ///   - percent: of the requests that earn a try.
  ///   - requestCount: requests so far, first tries only. Only ever grows.
  ///   - now: monotonic, in nanoseconds.
  public mutating func withdraw(percent: Int, requestCount: UInt64, at now: Int64) -> Bool {
    let fresh = Int(clamping: requestCount &- self.requestCount)
    let earned = min(fresh, RetryBudget.savedMax * 100) * percent
    let elapsed = max(0, now - (time ?? now)) / (RetryBudget.timePerTry / 100)
    saved = min(saved + earned + Int(clamping: min(elapsed, 10_000)), RetryBudget.savedMax * 100)
    self.requestCount = requestCount
    time = now
    guard percent > 0, saved >= 100 else { return false }
    saved -= 100
    return true
  }
}
