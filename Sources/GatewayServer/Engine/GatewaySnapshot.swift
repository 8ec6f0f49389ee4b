import EventLoop
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
  /// Postern's own, on listeners of the gateway; nil: the ones that are served stay.
  public var endpoints: EndpointTable?
  /// For connections from now on; nil: as before.
  public var limits: Limits?
  /// Whose `X-Forwarded-*` are believed on connections from now on; nil: as before.
  public var trustedProxies: [AddressBlock]?

  /// - Parameter upstreams: by name; every route's upstream is among them.
  public init(
    routes: RouteTable, upstreams: [Upstream], addresses: [Origin: [SocketAddress]], endpoints: EndpointTable? = nil,
    limits: Limits? = nil, trustedProxies: [AddressBlock]? = nil
  ) {
    self.routes = routes
    self.endpoints = endpoints
    self.limits = limits
    self.trustedProxies = trustedProxies
    self.upstreams = [:]
    for upstream in upstreams {
      let servers = upstream.servers.map { ResolvedServer(origin: $0, addresses: addresses[$0] ?? []) }
      self.upstreams[upstream.name] = (upstream, servers)
    }
    for route in routes.routes {
      precondition(self.upstreams[route.upstream] != nil, "route \(route.name) names an upstream that does not exist")
    }
  }
}
