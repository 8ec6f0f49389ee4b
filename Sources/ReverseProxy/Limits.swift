/// What one request or connection may take. Every value is a default that the configuration can change.
public struct Limits: Sendable, Hashable {
  /// Longer request lines are answered 414. Long enough for an authorization request with a signed request object.
  public var requestLineBytesMax = 8 * 1024
  /// All field lines of a head together; more is answered 431.
  public var fieldBytesMax = 32 * 1024
  /// Field lines of a head; more is answered 431.
  public var fieldCountMax = 100
  /// All field lines of an upstream's response head together; more is answered 502.
  public var responseFieldBytesMax = 32 * 1024
  /// Client connections of one loop, of which there is one per core; further ones wait in the kernel's queue.
  public var connectionsMax = 20_000
  /// Of these, from one source (an IPv4 address, an IPv6 /64); further ones are closed at once. Trusted proxies may have
  /// as many as there are. Enough for an office behind one address, too few to take the others' places or memory.
  public var connectionsPerSourceMax = 4_096
  /// From the first byte of a head, or from the accepted connection, to its end; then 408.
  public var headerTimeout: Duration = .seconds(10)
  /// Without a request, and without progress of a body; then the connection is closed.
  public var idleTimeout: Duration = .seconds(75)
  /// Bytes a second that a body must come with, measured over `idleTimeout`; slower is 408.
  public var minimumBodyRate = 1024
  /// Requests that one HTTP/2 connection may have under way; more are refused with REFUSED_STREAM.
  public var http2StreamsMax = 128
  /// HTTP/2 streams of one connection that end by RST_STREAM within ten seconds, whoever sends it; then the connection ends.
  public var http2ResetsMax = 500
  /// HTTP/2 frames of one connection within ten seconds that carry nothing (SETTINGS, PING, PRIORITY, RST_STREAM, empty
  /// DATA); then the connection ends. Measuring a link's bandwidth, gRPC sends some hundred PINGs a second.
  public var http2ControlFramesMax = 10_000

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
