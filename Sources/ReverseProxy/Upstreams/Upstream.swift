/// The origin side of a route: servers that are equal to each other. (RFC 9110 uses *upstream* for message flow; here it
/// is the side away from the caller.)
public struct Upstream: Sendable, Hashable {
  public var name: String
  /// At least one. A name counts as many servers as it has addresses.
  public var servers: [Origin]
  public var balance = Balance.leastRequests
  /// nil: servers are judged by the requests they serve alone.
  public var health: HealthCheck?
  public var ejection = EjectionRule()
  public var limits = ServerLimits()
  public var retries = RetryRule()
  public var timeouts: Timeouts
  public var applicationProtocol = ApplicationProtocol.http1
  /// Whether `http` to a server beyond loopback was accepted in so many words.
  public var allowsPlaintext: Bool
  /// PEM file, by absolute path, of the only authorities whose certificates `https` servers may have; nil: the system's.
  public var authorities: String?

  public init(
    name: String, servers: [Origin], timeouts: Timeouts = Timeouts(), allowsPlaintext: Bool = false,
    authorities: String? = nil
  ) {
    precondition(!servers.isEmpty, "an upstream has a server")
    self.name = name
    self.servers = servers
    self.timeouts = timeouts
    self.allowsPlaintext = allowsPlaintext
    self.authorities = authorities
  }

  /// What its servers are spoken to in. The raw values are the configuration's.
  public enum ApplicationProtocol: String, Sendable, CaseIterable {
    /// HTTP/1.1.
    case http1
    /// HTTP/2: over TLS by ALPN, in clear text by prior knowledge. gRPC needs it.
    case http2 = "h2"
    /// What an `https` server chooses of both.
    case negotiated = "auto"
  }

  public struct Timeouts: Sendable, Hashable {
    /// Until the connection stands, with the TLS handshake; then 504 `connection_timeout`.
    public var connect: Duration = .seconds(3)
    /// From the end of the request to the response head; then 504 `http_response_timeout`.
    public var responseHead: Duration = .seconds(30)
    /// Without a byte of the response body, and of a pooled connection without a request.
    public var idle: Duration = .seconds(300)

    public init() {}
  }
}
