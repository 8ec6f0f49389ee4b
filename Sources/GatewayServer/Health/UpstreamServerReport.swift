/// What the loops know of one server of an upstream.
public struct UpstreamServerReport: Sendable {
  public let key: ServerKey
  /// By the word of health checks.
  public var isHealthy: Bool
  /// Loops that leave it out because of what it answered them.
  public var ejectingLoops: UInt64
  public var requestsUnderWay: UInt64
  /// Since it is served, further tries among them.
  public var requests: UInt64
  public var failures: UInt64
  public var ejections: UInt64

  init(_ server: UpstreamServer) {
    key = server.key
    isHealthy = server.isHealthy
    ejectingLoops = server.circuit.isEjected ? 1 : 0
    requestsUnderWay = UInt64(clamping: server.underWay)
    requests = server.tryCount
    failures = server.failureCount
    ejections = server.ejectionCount
  }

  mutating func add(_ other: UpstreamServerReport) {
    isHealthy = isHealthy && other.isHealthy
    ejectingLoops += other.ejectingLoops
    requestsUnderWay += other.requestsUnderWay
    requests += other.requests
    failures += other.failures
    ejections += other.ejections
  }
}
