import JSON
import OAuthCore

/// What clients are told of the protected resources of a gateway, by the path of each resource.
///
/// Routes that share a resource share a document. The gateway as a whole is a resource, too: the one of tokens that were
/// asked for without naming any.
///
/// Source: RFC 9728 §2, §3.
public struct ResourceMetadata: Sendable {
  private struct Document: Sendable {
    let resource: ProtectedResource
    var name: String?
    var authorizationServers: [String] = []
    var scopes: [Scope] = []

    mutating func add(_ route: Route, issuer: String) {
      if name == nil { name = route.name }
      for server in route.access.accepts.compactMap({ $0.authorizationServer(issuer) })
      where !authorizationServers.contains(server) {
        authorizationServers.append(server)
      }
      for scope in route.access.requiredScopes.scopes where !scopes.contains(scope) { scopes.append(scope) }
    }

    var members: JSONObject {
      var members: JSONObject = [
        "resource": .string(resource.identifier),
        "authorization_servers": .array(authorizationServers.map(JSON.string)),
        // RFC 6750 §2.1 only: never in a form or query.
        "bearer_methods_supported": ["header"],
      ]
      if !scopes.isEmpty { members["scopes_supported"] = .array(scopes.map { .string($0.rawValue) }) }
      if let name { members["resource_name"] = .string(name) }
      return members
    }
  }

  private let issuer: Origin
  private let documents: [String: [Document]]

  /// - Parameter scopes: those of the whole gateway that may be told to everybody.
  public init(routes: [Route], issuer: Origin, scopes: [Scope]) {
    var known: [ProtectedResource: Int] = [:]
    var all: [Document] = []
    for route in routes {
      guard let resource = ProtectedResource(of: route, issuer: issuer) else { continue }
      let index = known[resource] ?? all.count
      if index == all.count {
        known[resource] = index
        all.append(Document(resource: resource))
      }
      all[index].add(route, issuer: issuer.description)
    }
    if let gateway = ProtectedResource(issuer.description), known[gateway] == nil {
      all.append(Document(resource: gateway, authorizationServers: [issuer.description], scopes: scopes))
    }
    self.issuer = issuer
    documents = Dictionary(grouping: all) { $0.resource.path }
  }

  /// The document of the resource at `path`, as far as `wellKnownPath` was taken off it.
  ///
  /// - Parameter host: the `Host` of the request; it decides where resources of several hosts have the path. A reverse
  ///   proxy in front may have changed it, so the issuer's own, and then any, stand in for one that is unknown: what a
  ///   document is about, it says itself, and clients compare (RFC 9728 §3.3).
  public func document(at path: String, host: String?) -> JSONObject? {
    let found = documents[path == "/" ? "" : path] ?? []
    let named = found.first { $0.resource.origin.authority == host?.lowercased() }
    return (named ?? found.first { $0.resource.origin == issuer } ?? found.first)?.members
  }
}

extension Route {
  /// The same route, whose challenges name its metadata.
  public func discoverable(at issuer: Origin) -> Route {
    var route = self
    route.access.resourceMetadata = ProtectedResource(of: self, issuer: issuer)?.metadataURL
    return route
  }
}

extension TokenAcceptance {
  /// Who issues such tokens; nil: nobody whom a client could ask. Source: RFC 9728 §2, `authorization_servers`.
  ///
  /// - Parameter issuer: Postern's own issuer identifier.
  fileprivate func authorizationServer(_ issuer: String) -> String? {
    switch self {
    case .own: issuer
    case .issuer(let foreign, _): foreign.identifier
    case .introspection(let service, _): service.issuer
    }
  }
}
