import EventLoop
import NetworkAddress
import ReverseProxy

/// An origin with the addresses its name stands for.
public struct ResolvedServer: Sendable, Hashable {
  public var origin: Origin
  /// Empty when the name could not be resolved: requests are answered 502 `dns_error`.
  public var addresses: [SocketAddress]

  public init(origin: Origin, addresses: [SocketAddress]) {
    self.origin = origin
    self.addresses = addresses
  }
}

/// What the data plane serves: immutable, swapped as a whole. Requests under way end as they began.
public struct GatewaySnapshot: Sendable {
  public var routes: RouteTable
  public var upstreams: [String: (upstream: Upstream, servers: [ResolvedServer])]
  /// What `https` servers are verified with, by upstream.
  public var tls: [String: TLSClientContext]
  /// Postern's own, on listeners of the gateway; nil: the ones that are served stay.
  public var endpoints: EndpointTable?
  /// For connections from now on; nil: as before.
  public var limits: Limits?
  /// Whose `X-Forwarded-*` are believed on connections from now on; nil: as before.
  public var trustedProxies: [AddressBlock]?
  /// For routes that take browser sessions; nil: as before.
  public var sessions: SessionAccess?
  /// Where the routes' callers are counted; a `DataPlane` puts its own here.
  public var rates = RateTables()

  /// - Parameters:
  ///   - upstreams: every route's is among them.
  ///   - tls: by the name of an upstream; every one with `https` servers is among them. The same context again keeps its
  ///     connections, another one is for connections from now on.
  public init(
    routes: RouteTable, upstreams: [Upstream], addresses: [Origin: [SocketAddress]], tls: [String: TLSClientContext] = [:],
    endpoints: EndpointTable? = nil, limits: Limits? = nil, trustedProxies: [AddressBlock]? = nil,
    sessions: SessionAccess? = nil
  ) {
    self.routes = routes
    self.tls = tls
    self.endpoints = endpoints
    self.limits = limits
    self.trustedProxies = trustedProxies
    self.sessions = sessions
    self.upstreams = [:]
    for upstream in upstreams {
      let servers = upstream.servers.map { ResolvedServer(origin: $0, addresses: addresses[$0] ?? []) }
      self.upstreams[upstream.name] = (upstream, servers)
      precondition(
        tls[upstream.name] != nil || !upstream.servers.contains { $0.scheme == .https },
        "upstream \(upstream.name) has https servers and nothing to verify them with")
    }
    for route in routes.routes {
      precondition(self.upstreams[route.upstream] != nil, "route \(route.name) names an upstream that does not exist")
    }
  }
}
