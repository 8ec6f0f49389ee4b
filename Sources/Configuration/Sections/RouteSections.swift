import Broker
import Cryptography
import OAuthCore
import ReverseProxy

extension YAMLValue {
  /// - Parameter issuer: nil when it is faulty.
  func routes(
    upstreams: Declarations<Upstream>, providers: Declarations<Provider>, scopes: KnownScopes?, issuer: Origin?
  ) -> [Route]? {
    var places: [YAMLValue] = []
    let routes = list { value -> Route? in
      let route = value.section { $0.route(upstreams: upstreams, providers: providers, scopes: scopes, issuer: issuer) }
      if route != nil { places.append(value) }
      return route
    }
    guard let routes else { return nil }
    for conflict in routes.trustConflicts { places[conflict.index].fault("\(places[conflict.index].path): \(conflict.description)") }
    do {
      _ = try RouteTable(routes)
      return routes
    } catch {
      for conflict in error.conflicts { places[conflict.index].fault(conflict.description) }
      return nil
    }
  }

  fileprivate var pathPattern: PathPattern? {
    guard let text else { return nil }
    do { return try PathPattern(text) } catch { return fault("\(path): \(error.description)") }
  }

  var requestMethod: RequestMethod? {
    guard let text else { return nil }
    guard let method = RequestMethod(text) else { return fault("\(path): \"\(text)\" is no method that a route serves") }
    // Methods are case-sensitive (RFC 9110 §9.1): `get` would match nothing.
    guard text == text.uppercased() else {
      return fault("\(path): methods are case-sensitive; write \(text.uppercased())")
    }
    return method
  }

  func requiredScope(_ known: KnownScopes?) -> Scope? {
    guard let text else { return nil }
    guard let scope = Scope(text) else { return fault("\(path): \"\(text)\" is no scope (RFC 6749 §3.3)") }
    guard let known, !known.names.contains(text) else { return scope }
    return fault("scope \"\(text)\" is not declared under scopes\(didYouMean(text, among: known.names))")
  }
}

extension Section {
  fileprivate func route(
    upstreams: Declarations<Upstream>, providers: Declarations<Provider>, scopes: KnownScopes?, issuer: Origin?
  ) -> Route? {
    let hasCrossOrigin = member("cors") != nil
    let crossOrigin = optional("cors") { $0.crossOriginRule }
    let acceptance = optional("accept", default: .own) { $0.acceptance }
    optional("mcp") { value in
      if value.boolean == true { value.fault("mcp is not available in this version") }
      return ()
    }
    let name = required("name") { $0.identifier }
    let match = required("match") { $0.section { $0.match() } }
    var access = access(scopes)
    if let acceptance { access?.accepts = acceptance.tokens }
    if acceptance?.takesSessions == true {
      let rule = sessionRule(required: access?.requiredScopes, isAnonymous: access?.isAnonymous == true, scopes)
      access?.session = rule
      requireHost(match?.host, of: issuer)
    } else {
      member("session")?.fault("\(value.path): session says what a session is good for; accept must name session, too")
    }
    let upstreamValue = required("upstream") { upstreams.resolve("upstream", at: $0) }
    let credential = optional("credential", default: CredentialRule.none) { $0.credential(providers, for: upstreamValue) }
    let rewrite = optional("rewrite", default: PathRewrite.identity) { $0.section { $0.rewrite(for: match?.pattern) } }
    let encodedSlash = optional("encoded_slash", default: EncodedSlashRule.reject) { $0.choice(EncodedSlashRule.self) }
    let limits = optional("limits", default: RouteLimits()) { value in
      value.section { section in
        let rate = section.optional("rate") { $0.rateRule(isAnonymous: access?.isAnonymous == true) }
        return RouteLimits(bodyBytesMax: section.optional("body") { $0.byteCount(in: 0...(1 << 40)) }, rate: rate)
      }
    }
    let streams = optional("streams", default: StreamRules()) { $0.section { $0.streams(of: access) } }
    let certificate = optional("client_certificate", default: .none) { $0.choice(ClientCertificateRule.self) }
    if credential?.needsSubject == true, access?.isAnonymous == true {
      member("credential")?.fault("\(value.path): an anonymous route has no subject whose connection or name it could use")
    }
    if case .connection = credential, let acceptance, !acceptance.tokens.contains(.own), !acceptance.takesSessions {
      member("credential")?.fault("\(value.path): callers of other issuers have connected nothing; accept self, too")
    }
    if let acceptance, access?.isAnonymous == true, acceptance.tokens != [.own], !acceptance.takesSessions {
      member("accept")?.fault("\(value.path): an anonymous route asks for no token, so it takes nobody's")
    }
    guard let name, let match, let access, acceptance != nil, let upstreamValue, let credential, let rewrite,
      let encodedSlash, let limits, let streams, let certificate, hasCrossOrigin == (crossOrigin != nil)
    else { return nil }
    return Route(
      name: name, host: match.host, pattern: match.pattern, methods: match.methods, access: access,
      credential: credential, upstream: upstreamValue.name, rewrite: rewrite, encodedSlash: encodedSlash, limits: limits,
      crossOrigin: crossOrigin, streams: streams, clientCertificate: certificate)
  }

  private func match() -> (host: String?, pattern: PathPattern, methods: Set<RequestMethod>)? {
    let hasHost = member("host") != nil
    let host = optional("host") { $0.hostName }
    let pattern = required("path", "such as /photos/**") { $0.pathPattern }
    let methods = optional("methods", default: []) { value -> [RequestMethod]? in
      let methods = value.uniqueList { $0.requestMethod }
      if methods?.isEmpty == true { value.fault("\(value.path) must not be empty; leave it out for any method") }
      return methods
    }
    guard let pattern, let methods, hasHost == (host != nil) else { return nil }
    return (host, pattern, Set(methods))
  }

  private func access(_ scopes: KnownScopes?) -> AccessPolicy? {
    let isAnonymous = optional("anonymous", default: false) { $0.boolean }
    let requireValue = member("require")
    var policy: AccessPolicy? = AccessPolicy()
    if let requireValue {
      policy = requireValue.section { section in
        let required = section.optional("scopes", default: []) { $0.uniqueList { $0.requiredScope(scopes) } }
        let hasAudience = section.member("audience") != nil
        let audience = section.optional("audience") { $0.audience }
        guard let required, hasAudience == (audience != nil) else { return nil }
        return AccessPolicy(requiredScopes: ScopeSet(required), audience: audience)
      }
    }
    guard let isAnonymous else { return nil }
    if isAnonymous, let requireValue {
      requireValue.fault("\(value.path): an anonymous route asks for no token, so it cannot require anything of one")
    }
    policy?.isAnonymous = isAnonymous
    return policy
  }

  private func rewrite(for pattern: PathPattern?) -> PathRewrite? {
    let strip = optional("strip_prefix", default: "") { $0.text }
    let add = optional("add_prefix", default: "") { $0.text }
    guard let strip, let add, let pattern else { return nil }
    do {
      return try PathRewrite(stripPrefix: strip, addPrefix: add, for: pattern)
    } catch {
      fault("\(value.path): \(error.description)")
      return nil
    }
  }
}
