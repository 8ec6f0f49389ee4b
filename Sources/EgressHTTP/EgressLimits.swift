/// What one loop's egress may take.
public struct EgressLimits: Sendable {
  /// TCP and TLS together; the request's own deadline bounds the whole exchange.
  public var connectTimeout = Duration.seconds(3)
  /// Exchanges at a time, on one loop; one more is refused: providers are called to renew, not per request.
  public var exchangeCountMax = 256
  /// Connections to one host, on one loop; further exchanges wait for one.
  public var connectionsPerHostMax = 8
  /// Idle connections that are kept for the next exchange.
  public var idleConnectionCountMax = 16
  /// An idle connection is not used again after this: providers' load balancers close them after a minute or more.
  public var idleConnectionAgeMax = Duration.seconds(50)
  /// Header section of an answer.
  public var headerByteCountMax = 64 * 1024

  public init() {}
}
