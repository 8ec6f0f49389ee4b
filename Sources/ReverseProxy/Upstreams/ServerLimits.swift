/// What each server of an upstream is spared.
public struct ServerLimits: Sendable, Hashable {
  /// Requests under way at one server; over HTTP/1.1 each has a connection of its own. nil: as many as come.
  public var requests: Int?
  /// Requests that wait for one of the servers to become free; further ones are answered 503 `connection_limit_reached`.
  public var pending = 0
  /// How long a request waits at most.
  public var wait: Duration = .seconds(1)

  public init() {}

  /// What one loop may take of it, rounded up: loops do not ask each other.
  public func share(ofLoops count: Int) -> ServerLimits {
    func share(_ value: Int) -> Int { (value + count - 1) / count }
    var limits = self
    limits.requests = requests.map(share)
    limits.pending = share(pending)
    return limits
  }
}
