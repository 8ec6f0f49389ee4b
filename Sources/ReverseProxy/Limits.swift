/// What one request or connection may take. Every value is a default that the configuration can change.
public struct Limits: Sendable, Hashable {
  /// Longer request lines are answered 414. Long enough for an authorization request with a signed request object.
  public var requestLineBytesMax = 8 * 1024
  /// All field lines of a head together; more is answered 431.
  public var fieldBytesMax = 32 * 1024
  /// Field lines of a head; more is answered 431.
  public var fieldCountMax = 100
  /// From the first byte of a head, or from the accepted connection, to its end; then 408.
  public var headerTimeout: Duration = .seconds(10)
  /// Without a request, and without progress of a body; then the connection is closed.
  public var idleTimeout: Duration = .seconds(75)
  /// Bytes a second that a body must come with, measured over `idleTimeout`; slower is 408.
  public var minimumBodyRate = 1024

  public init() {}
}

/// What one route changes of the limits.
public struct RouteLimits: Sendable, Hashable {
  /// A longer request body is answered 413. nil: any length, since bodies are streamed and never held.
  public var bodyBytesMax: Int?
  /// More requests of one caller are answered 429. nil: any number.
  public var rate: RateRule?

  public init(bodyBytesMax: Int? = nil, rate: RateRule? = nil) {
    self.bodyBytesMax = bodyBytesMax
    self.rate = rate
  }
}
