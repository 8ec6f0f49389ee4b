/// How long the broker waits for what, and how often it tries.
public struct BrokerLimits: Sendable, Equatable {
  /// One call of a token endpoint, name resolution included.
  public var providerDeadline = Duration.seconds(20)
  /// Longer than the provider's deadline, so that a holder that still works is not overtaken.
  public var lease = Duration.seconds(25)
  /// How long an instance waits for another's renewal; longer than a lease, so that it takes over after a crash.
  public var leaseWait = Duration.seconds(28)
  /// Between looks at the store while another instance renews; doubles from the first to the second.
  public var pollMin = Duration.milliseconds(25)
  public var pollMax = Duration.milliseconds(400)
  /// After failures in a row; doubles from the first to the second.
  public var transientPauseMin = Duration.seconds(1)
  public var transientPauseMax = Duration.seconds(60)
  /// A refusal lasts until a person acts; asking more often only fills the provider's logs.
  public var refusalPauseMin = Duration.seconds(10)
  public var refusalPauseMax = Duration.seconds(5 * 60)
  /// How long a connection that has ended is not looked at again, unless it changes.
  public var endedPause = Duration.seconds(2)
  /// An upstream that refuses the successor of a token that it has refused gets no other one for so long.
  public var stormWindow = Duration.seconds(60)
  /// Between tries to store a credential that was received; doubles from the first to the second.
  public var storePauseMin = Duration.milliseconds(250)
  public var storePauseMax = Duration.seconds(5)
  /// Tries that are left for storing once the process shuts down.
  public var storeTriesAtShutdown = 3

  public init() {}

  /// How long to stay away after the `count`th failure in a row.
  ///
  /// - Parameter jitter: uniform in 0..<1; adds up to a quarter.
  func pause(after failure: TokenEndpointFailure, count: Int, jitter: Double) -> Duration {
    switch failure {
    case .refused:
      return Self.doubling(refusalPauseMin, to: refusalPauseMax, attempt: count) * (1 + jitter / 4)
    case .transient(_, let retryAfter):
      let pause = Self.doubling(transientPauseMin, to: transientPauseMax, attempt: count) * (1 + jitter / 4)
      return max(pause, retryAfter ?? .zero)
    }
  }

  /// - Parameter attempt: 1 for the first.
  static func doubling(_ least: Duration, to most: Duration, attempt: Int) -> Duration {
    // Sixteen doublings exceed every ratio above; more would overflow in the end.
    min(least * (1 << min(max(attempt - 1, 0), 16)), most)
  }
}
