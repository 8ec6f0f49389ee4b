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

  /// The field that carries an API key: any but those that frame or route the request.
  fileprivate var credentialField: String? {
    guard let text else { return nil }
    guard FieldRules.canCarryCredential(text) else { return fault("\(path): \"\(text)\" cannot carry a credential") }
    return text
  }

  /// A secret that is sent as a field value. Source: RFC 9110 §5.5, without obs-text.
  fileprivate var fieldSecret: Secret? {
    guard let secret else { return nil }
    guard secret.exposedBytes.allSatisfy({ (0x20...0x7e).contains($0) }) else {
      return fault("\(path) must be visible ASCII, since it is sent as a header field")
    }
    return secret
  }

  fileprivate func credential(_ providers: Declarations<Provider>, for upstream: Upstream?) -> CredentialRule? {
    section { section in
      let kind = section.required("kind") { value in
        value.choice(
          ["client_credentials", "connection", "api_key", "basic", "none"].map { ($0, $0) },
          unavailable: ["token_exchange", "jwt_bearer", "signed_assertion"])
      }
      switch kind {
      case "client_credentials", "connection":
        return section.required("provider") { value in
          guard let provider = providers.resolve("provider", at: value) else { return nil }
          value.requireDestination(provider, allows: upstream)
          let isConnection = kind == "connection"
          guard isConnection == (provider.authorization != nil) else {
            return value.fault(
              "provider \"\(provider.id)\" has grant: \(isConnection ? "client_credentials" : "authorization_code"), "
                + "so a route uses it by kind: \(isConnection ? "client_credentials" : "connection")")
          }
          return isConnection ? .connection(provider: provider.id) : .clientCredentials(provider: provider.id)
        }
      case "api_key":
        let field = section.required("header") { $0.credentialField }
        let key = section.required("secret") { $0.fieldSecret }
        guard let field, let key else { return nil }
        return .apiKey(fieldName: field, key: key)
      case "basic":
        let username = section.required("username") { $0.basicUsername }
        let password = section.required("secret") { $0.fieldSecret }
        guard let username, let password else { return nil }
        return .basic(username: username, password: password)
      case "none":
        return CredentialRule.none
      default:
        // The kind is faulty; the members of every kind are known all the same.
        for key in ["provider", "header", "secret", "username"] { _ = section.member(key) }
        return nil
      }
    }
  }

  /// Source: RFC 7617 §2: a user-id has no colon.
  private var basicUsername: String? {
    guard let text else { return nil }
    return text.contains(":") ? fault("\(path) must not have a colon (RFC 7617 §2)") : text
  }

  /// A provider's tokens go to the hosts it allows and nowhere else.
  private func requireDestination(_ provider: Provider, allows upstream: Upstream?) {
    for server in upstream?.servers ?? [] where !provider.allows(host: server.host) {
      fault(
        "provider \"\(provider.id)\" does not let its tokens go to \(server.host), a server of upstream "
          + "\"\(upstream?.name ?? "")\"; add it to allowed_hosts if it may have them")
    }
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
    if case .connection = credential, access?.isAnonymous == true {
      member("credential")?.fault("\(value.path): an anonymous route has no subject whose connection it could use")
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
