/// One entry of the data plane: which requests, who may, with what credential, to where.
public struct Route: Sendable {
  public var name: String
  /// Lower case, without port; nil: any host.
  public var host: String?
  public var pattern: PathPattern
  /// Empty: any method but `CONNECT` and `TRACE`. `GET` brings `HEAD` with it.
  public var methods: Set<RequestMethod>
  public var access: AccessPolicy
  public var credential: CredentialRule
  /// Name of an `Upstream`.
  public var upstream: String
  public var rewrite: PathRewrite
  public var encodedSlash: EncodedSlashRule
  public var limits: RouteLimits
  /// nil: the upstream's own word on other origins passes, and preflights are requests like any other.
  public var crossOrigin: CrossOriginRule?
  public var streams: StreamRules
  public var clientCertificate: ClientCertificateRule

  public init(
    name: String, host: String? = nil, pattern: PathPattern, methods: Set<RequestMethod> = [], access: AccessPolicy,
    credential: CredentialRule = .none, upstream: String, rewrite: PathRewrite = .identity,
    encodedSlash: EncodedSlashRule = .reject, limits: RouteLimits = RouteLimits(),
    crossOrigin: CrossOriginRule? = nil, streams: StreamRules = StreamRules(),
    clientCertificate: ClientCertificateRule = .none
  ) {
    self.name = name
    self.host = host?.lowercased()
    self.pattern = pattern
    self.methods = methods
    self.access = access
    self.credential = credential
    self.upstream = upstream
    self.rewrite = rewrite
    self.encodedSlash = encodedSlash
    self.limits = limits
    self.crossOrigin = crossOrigin
    self.streams = streams
    self.clientCertificate = clientCertificate
  }

  /// - Throws: `encodedSlash`, when the route refuses what the path has; the answer is 400.
  public func requireAcceptable(_ path: CanonicalPath) throws(PathRefusal) {
    if path.hasEncodedSlash && encodedSlash == .reject { throw .encodedSlash }
  }
}

/// What a route does with `%2F` and `%5C` in a path.
public enum EncodedSlashRule: String, Sendable, CaseIterable {
  case reject
  /// For upstreams that take them as data. They pass as they are and never separate segments here.
  case forward
}
