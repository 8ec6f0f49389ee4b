/// What one server's answers say about it: the passive side of its health, and a circuit breaker.
///
/// Times are nanoseconds of a monotonic clock.
public struct ServerCircuit: Sendable, Hashable {
  public enum State: Sendable, Hashable {
    /// Takes requests. Next: `open`.
    case closed(failuresInRow: Int)
    /// Left out until then. Next: `halfOpen`, or `closed` when it answered well all the same, because no other was left.
    case open(until: Int64)
    /// One request tries whether it is well again. Next: `closed`, `open`; `open` with a past end when the trial came to
    /// no result.
    case halfOpen
  }

  public enum Admission: Sendable, Hashable {
    case admitted
    /// The request decides whether others follow.
    case trial
    /// - Parameter until: nil: as soon as a trial under way ends well.
    case refused(until: Int64?)
  }

  public private(set) var state = State.closed(failuresInRow: 0)
  /// In a row: without a time in between that was as long as the last ejection.
  private var ejectionCount = 0
  private var lastPeriod: Int64 = 0
  private var closedAt = Int64.min

  public init() {}

  /// Whether nothing speaks against the server, so that a good answer changes nothing.
  public var isFlawless: Bool { state == .closed(failuresInRow: 0) }

  public func admission(at now: Int64) -> Admission {
    switch state {
    case .closed: .admitted
    case .open(let until): now >= until ? .trial : .refused(until: until)
    case .halfOpen: .refused(until: nil)
    }
  }

  /// Left out, or under trial.
  public var isEjected: Bool {
    if case .closed = state { false } else { true }
  }

  /// When a trial may begin; nil: now, or as soon as the one under way ends badly.
  public var reopening: Int64? {
    if case .open(let until) = state { until } else { nil }
  }

  /// A request goes to the server.
  public mutating func begin(at now: Int64) {
    if admission(at: now) == .trial { state = .halfOpen }
  }

  /// A request came to its end; when it had no result to tell, another one tries.
  public mutating func end(at now: Int64) {
    if state == .halfOpen { state = .open(until: now) }
  }

  public mutating func succeed(at now: Int64) {
    if isEjected { closedAt = now }
    state = .closed(failuresInRow: 0)
  }

  /// - Parameter mayEject: whether the share of ejected servers allows one more. A trial that fails needs no leave: its
  ///   server is one of them.
  /// - Returns: whether the server was ejected by it.
  public mutating func fail(at now: Int64, rule: EjectionRule, mayEject: Bool) -> Bool {
    switch state {
    case .closed(let failures):
      let count = min(failures, rule.after) + 1
      state = .closed(failuresInRow: count)
      guard count >= rule.after, mayEject else { return false }
      let stayedLong = closedAt == .min || now - closedAt >= lastPeriod
      eject(at: now, rule, count: stayedLong ? 1 : ejectionCount + 1)
    case .halfOpen: eject(at: now, rule, count: ejectionCount + 1)
    // Of a request from before the ejection, or from when no other server was left.
    case .open: return false
    }
    return true
  }

  private mutating func eject(at now: Int64, _ rule: EjectionRule, count: Int) {
    ejectionCount = count
    let longest = max(rule.period, EjectionRule.periodMax)
    // Compared first: a product of the largest values would overflow.
    let isLongest = Double(count) >= longest / rule.period
    let (seconds, attoseconds) = (isLongest ? longest : rule.period * count).components
    lastPeriod = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    state = .open(until: now + lastPeriod)
  }
}
