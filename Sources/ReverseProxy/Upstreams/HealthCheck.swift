/// How the servers of an upstream are asked whether they are well, beside the requests they serve.
public struct HealthCheck: Sendable, Hashable {
  /// Asked for with GET; with the query, if any.
  public var path: String
  public var interval: Duration = .seconds(10)
  /// From the connection's first packet to the end of the response head.
  public var timeout: Duration = .seconds(2)
  /// Good answers in a row that make an unhealthy server healthy.
  public var healthyAfter = 2
  /// Bad or missing answers in a row that make a healthy server unhealthy.
  public var unhealthyAfter = 3
  /// Status codes of a good answer.
  public var expected: [ClosedRange<Int>] = [200...299]

  public init(path: String) { self.path = path }

  public func isGood(_ status: Int) -> Bool { expected.contains { $0.contains(status) } }

  /// The time to the next question: within a tenth of the interval, so that the instances of a fleet do not ask together.
  ///
  /// - Parameter lot: from 0 to 1.
  public func pause(lot: Double) -> Duration { interval * (0.9 + 0.2 * lot) }

  /// The time to the first question: soon, but not for all servers at once.
  public func firstPause(lot: Double) -> Duration { min(interval, .seconds(1)) * lot }
}

/// What the answers to health checks say about one server: healthy until they say otherwise.
public struct ServerHealth: Sendable, Hashable {
  public private(set) var isHealthy = true
  /// Answers in a row that speak against what it is taken for.
  private var contraryCount = 0

  public init() {}

  /// - Returns: whether the server is taken for something else from now on.
  public mutating func note(isGood: Bool, rule: HealthCheck) -> Bool {
    guard isGood != isHealthy else {
      contraryCount = 0
      return false
    }
    contraryCount += 1
    guard contraryCount >= (isHealthy ? rule.unhealthyAfter : rule.healthyAfter) else { return false }
    isHealthy = isGood
    contraryCount = 0
    return true
  }
}
