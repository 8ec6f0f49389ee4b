/// How requests are spread over the servers of an upstream.
public enum Balance: String, Sendable, CaseIterable {
  case roundRobin = "round_robin"
  /// To the server with the fewest requests under way: a slow one gets fewer.
  case leastRequests = "least_requests"
}

/// Picks one of a row of servers; one per upstream and loop.
public struct ServerPicker: Sendable {
  /// Up to here all servers are compared. With more, the better of two taken by lot is nearly as good and costs the same
  /// for any number. Source: Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001).
  static let comparedCountMax = 8

  private var turn = 0
  private var lot: UInt64

  /// - Parameter seed: loops with different ones do not draw the same servers at the same time.
  public init(seed: UInt64) { lot = seed | 1 }

  /// - Parameter load: requests under way at a server of the row; nil: it takes none now.
  /// - Returns: the number of a server; nil when none takes a request.
  public mutating func pick(_ balance: Balance, of count: Int, load: (Int) -> Int?) -> Int? {
    guard count > 0 else { return nil }
    switch balance {
    case .roundRobin: return inTurn(count, load)
    case .leastRequests:
      guard count > ServerPicker.comparedCountMax else { return leastLoaded(count, load) }
      return betterOfTwo(count, load) ?? leastLoaded(count, load)
    }
  }

  private mutating func inTurn(_ count: Int, _ load: (Int) -> Int?) -> Int? {
    for step in 1...count where load((turn + step) % count) != nil {
      turn = (turn + step) % count
      return turn
    }
    return nil
  }

  /// Equal ones in turn: otherwise the first would get everything that comes slowly.
  private mutating func leastLoaded(_ count: Int, _ load: (Int) -> Int?) -> Int? {
    var best: (index: Int, load: Int)?
    for step in 1...count {
      let index = (turn + step) % count
      guard let load = load(index), load < best?.load ?? .max else { continue }
      best = (index, load)
    }
    if let best { turn = best.index }
    return best?.index
  }

  /// - Returns: nil when neither takes a request.
  private mutating func betterOfTwo(_ count: Int, _ load: (Int) -> Int?) -> Int? {
    let first = draw(count)
    let second = (first + 1 + draw(count - 1)) % count
    switch (load(first), load(second)) {
    case (let one?, let other?): return other < one ? second : first
    case (_?, nil): return first
    case (nil, _?): return second
    case (nil, nil): return nil
    }
  }

  /// Source: Marsaglia, Xorshift RNGs (2003). Nothing depends on its being unpredictable.
  private mutating func draw(_ count: Int) -> Int {
    lot ^= lot << 13
    lot ^= lot >> 7
    lot ^= lot << 17
    return Int(lot % UInt64(count))
  }
}
