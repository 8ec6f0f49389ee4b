import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy

/// What the gateway does with a request and why, step by step, found out by the engine's own decisions without sending
/// anything. Holds no credential's value.
public struct RequestExplanation: Sendable {
  /// One step, and what it came to.
  public struct Step: Sendable, Equatable {
    public let name: String
    public let verdict: String
  }

  public enum Outcome: Sendable, Equatable {
    /// - Parameter head: what the upstream gets, secrets redacted.
    case forwarded(head: String)
    /// One of Postern's own endpoints answers, or says that there is none.
    case ownEndpoint
    /// Postern answers in the route's place.
    case answered(status: Int, sentence: String)
    case refused(status: Int, code: String, sentence: String, challenge: String?)

    fileprivate init(_ error: GatewayError) {
      let challenge = error.response(requestID: "").fields["WWW-Authenticate"]
      self = .refused(status: error.status, code: error.code, sentence: error.sentence, challenge: challenge)
    }
  }

  public private(set) var steps: [Step] = []
  public internal(set) var outcome = Outcome.ownEndpoint

  /// What is known of a presented token.
  public enum TokenFinding: Sendable {
    case unasked
    /// What Postern's own verifier says; nil: no good token.
    case found(TokenFacts?)
    /// What another than Postern says, or why nobody was asked.
    case foreign(ForeignSources.Finding)
  }

  public enum Progress: Sendable {
    case complete(RequestExplanation)
    /// Somebody has to say what this token, presented on such a route, stands for; then explain again with the answer.
    case needsFacts(of: [UInt8], on: AccessPolicy)
    /// Somebody has to say whose session the cookie of a browser carries.
    case needsSession(of: [UInt8])
  }

  /// What a request meets: a part of the configuration.
  public struct Gateway: Sendable {
    public var routes: RouteTable
    public var upstreams: [Upstream]
    public var limits: Limits
    public var via: ViaField
    /// Whose pages' sessions some routes take; nil: none does.
    public var issuer: Origin?

    public init(routes: RouteTable, upstreams: [Upstream], limits: Limits, via: ViaField = .none, issuer: Origin? = nil) {
      self.routes = routes
      self.upstreams = upstreams
      self.limits = limits
      self.via = via
      self.issuer = issuer
    }
  }

  /// - Parameters:
  ///   - head: a whole request head as a client sends it.
  ///   - token: what was found out about the token that an earlier explanation asked for.
  public static func explain(
    head: [UInt8], at gateway: Gateway, token: TokenFinding = .unasked, now: Timestamp
  ) -> Progress {
    var explanation = RequestExplanation()
    do throws(Pause) {
      try explanation.walk(head, gateway, token, now)
    } catch {
      return error.isSession ? .needsSession(of: error.token) : .needsFacts(of: error.token, on: error.access)
    }
    return .complete(explanation)
  }

  struct Pause: Error {
    let token: [UInt8]
    let access: AccessPolicy
    var isSession = false
  }

  mutating func note(_ name: String, _ verdict: String) { steps.append(Step(name: name, verdict: verdict)) }

  mutating func refuse(_ name: String, _ error: GatewayError) {
    note(name, "refused: \(error.sentence)")
    outcome = Outcome(error)
  }

  // MARK: The steps, in the order of `ClientConnection.decide`

  private mutating func walk(
    _ received: [UInt8], _ gateway: Gateway, _ token: TokenFinding, _ now: Timestamp
  ) throws(Pause) {
    let bytes = received.span
    var limits = EngineLimits()
    limits.request = gateway.limits
    var scanner = RequestScanner(limits: limits.wire)
    do throws(WireError) {
      guard try scanner.scan(bytes) else { throw .badRequestLine }
    } catch {
      note("framing", "refused: \(error.title)")
      outcome = .refused(status: error.status, code: "malformed_request", sentence: error.title, challenge: nil)
      return
    }
    note("framing", "well-formed")

    let path = scanner.head.path.isEmpty ? Array("/".utf8) : bytes.copy(scanner.head.path.range)
    var canonical: CanonicalPath?
    if !scanner.head.path.isEmpty {
      let end = Int(scanner.head.query?.end ?? scanner.head.path.end)
      do throws(PathRefusal) {
        canonical = try CanonicalPath(target: bytes.extracting(Int(scanner.head.path.start)..<end))
      } catch {
        return refuse("path", .badTarget(error))
      }
    }
    note("path", "canonical")

    let host = bytes.copy(scanner.head.authority.range)
    let method = bytes.copy(scanner.head.method.range)
    if explainPreflight(scanner.head, bytes, path: path.span, host: host.span, gateway.routes) { return }
    let route: Route
    switch gateway.routes.match(method: method.span, host: host.span, path: path.span) {
    case .route(let index): route = gateway.routes.routes[index]
    case .ownEndpoint:
      note("route", "none: the path is Postern's own, on every host")
      return
    case .notFound:
      note("host", Self.hosts(of: path.span, method.span, in: gateway.routes))
      return refuse("route", .routeNotFound)
    case .methodNotAllowed(let allow):
      note("allowed", allow)
      return refuse("method", .methodNotAllowed(allow: allow))
    }
    note("route", "\(route.name), for \(route.pattern)")
    note("host", route.host.map { "\($0), which the request names" } ?? "any")
    note("method", route.methods.isEmpty ? "any" : route.methods.map(\.rawValue).sorted().joined(separator: ", "))
    explainOrigin(scanner.head, bytes, route)
    if let canonical {
      do throws(PathRefusal) { try route.requireAcceptable(canonical) } catch {
        return refuse("encoded slash", .badTarget(error))
      }
    }
    if scanner.head.fields.hasVia {
      guard !gateway.via.isNamed(in: bytes, lines: scanner.head.fieldLines) else { return refuse("via", .loopDetected) }
      note("via", "the request has not been here before")
    }
    if let limit = route.limits.bodyBytesMax {
      if let length = scanner.head.fields.contentLength, length > limit { return refuse("body", .bodyTooLarge) }
      note("body", "at most \(limit) bytes")
    }
    if scanner.head.fields.authorization == nil, let rule = route.access.session {
      guard try admitBrowser(scanner.head, bytes, route, rule, gateway.issuer, token, now) else { return }
    } else {
      guard try admit(route, scanner.head.fields.authorization.map { bytes.copy($0.range) }, token, now) else { return }
    }

    if let rate = route.limits.rate { note("rate", RateFields(rate, route: route.name).policy + ", per \(rate.key.rawValue)") }
    if route.streams.allowsWebSocket { note("websocket", Self.upgrade(scanner.head, bytes)) }
    note("streams", Self.streams(of: route))
    if route.clientCertificate != .none { note("client certificate", "told to the upstream, where the caller shows one") }
    note("credential", route.credential.kind)
    guard let upstream = gateway.upstreams.first(where: { $0.name == route.upstream }) else {
      preconditionFailure("a configuration has the upstream of every route")
    }
    note("upstream", upstream.explanation)
    outcome = .forwarded(head: Self.head(scanner.head, bytes, path: path.span, route, upstream.servers[0], gateway.via))
  }

  /// - Returns: whether the request may go on.
  private mutating func admit(
    _ route: Route, _ authorization: [UInt8]?, _ token: TokenFinding, _ now: Timestamp
  ) throws(Pause) -> Bool {
    let access = route.access
    if access.isAnonymous {
      note("bearer", "not asked for: the route is anonymous")
      return true
    }
    let value = authorization ?? []
    let range: Range<Int>
    switch Bearer(authorization: value.span) {
    case .presented(let found) where Bearer.isToken(value.span.extracting(found)): range = found
    case .absent:
      refuse("bearer", .accessDenied(.missingToken, access))
      return false
    case .presented, .malformed:
      refuse("bearer", .accessDenied(.invalidRequest, access))
      return false
    }
    note("bearer", "one token, in the Authorization field")
    let facts: TokenFacts
    var source = TokenSource.own
    switch token {
    case .unasked, .foreign(.own): throw Pause(token: Array(value[range]), access: access)
    case .found(let found?): facts = found
    case .found(nil):
      if access.takesForeignTokens { note("verifier", "\(source)") }
      refuse("token", .accessDenied(.invalidToken, access))
      return false
    case .foreign(.vouched(let vouched)): (facts, source) = (vouched.facts, vouched.source)
    case .foreign(.refused(let refusal)):
      note("verifier", "\(Self.list(access.accepts.map(\.description)))")
      note("reason", "\(refusal)")
      refuse("token", .accessDenied(.invalidToken, access))
      return false
    case .foreign(.unavailable(let reason)):
      note("reason", reason)
      refuse("token", .verificationUnavailable)
      return false
    }
    if access.takesForeignTokens { note("verifier", "\(source)") }
    note("token", "of client \(facts.client) for subject \(facts.subject)")
    switch facts.constraint {
    case .bearer: break
    case .certificate: note("binding", "the caller has to show the certificate that the token is bound to")
    case .unknown:
      refuse("binding", .accessDenied(.invalidToken, access))
      return false
    }
    let decision = access.decide(facts.authorization, from: source, expiresAt: facts.expiresAt, at: now)
    let audiences = access.accepts.filter { $0.source == source }.compactMap { $0.audience ?? access.audience }
    if let audience = audiences.first(where: facts.audience.contains) ?? audiences.first {
      let isNamed = facts.audience.contains(audience)
      note("audience", "\(audience): \(isNamed ? "the token names it" : "the token names \(Self.list(facts.audience))")")
    }
    if !access.requiredScopes.isEmpty {
      note("scopes", "needs \(access.requiredScopes), the token has \(facts.scope.isEmpty ? "none" : facts.scope.description)")
    }
    guard case .deny(let denial) = decision else {
      note("policy", "allowed")
      return true
    }
    refuse("policy", .accessDenied(denial, access))
    return false
  }

  private static func upgrade(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> String {
    do throws(WebSocketHandshake.Refusal) {
      _ = try WebSocketHandshake.key(of: head, bytes)
      return "asked for"
    } catch {
      return error == .unasked ? "not asked for" : "none: \(error.sentence)"
    }
  }

  /// What ends an exchange under way.
  private static func streams(of route: Route) -> String {
    guard !route.access.isAnonymous else { return "end by themselves: the route asks for no token" }
    let rules = route.streams
    let revocation = rules.endsOnRevocation ? "end when the token is revoked" : "go on when the token is revoked"
    let expiry = rules.expiryGrace.map { "end \($0.components.seconds) s after it has expired" } ?? "go on when it has expired"
    return "\(revocation), \(expiry)"
  }

  private static func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }

  /// Where the path would be served, for those who asked at the wrong door.
  private static func hosts(of path: Span<UInt8>, _ method: Span<UInt8>, in routes: RouteTable) -> String {
    let serving = Set(routes.routes.compactMap(\.host)).filter { host in
      switch routes.match(method: method, host: host.utf8.span, path: path) {
      case .route, .methodNotAllowed: true
      case .ownEndpoint, .notFound: false
      }
    }
    return serving.isEmpty ? "none has a route for this path" : "other than those that have the path: \(list(serving.sorted()))"
  }

  // MARK: The resulting head

  private static func head(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, path: Span<UInt8>, _ route: Route, _ server: Origin, _ via: ViaField
  ) -> String {
    var written = ByteQueue(pool: BufferPool())
    let pathStart = Int(head.path.start) + (head.path.isEmpty ? 0 : route.rewrite.cutCount(path: path))
    written.append(
      forwarding: head, bytes, prefix: route.rewrite.addedPrefix, pathStart: pathStart, stripping: route.strippedFields)
    written.append(Array("Host: \(server.authority)\r\n".utf8))
    if route.streams.allowsWebSocket, Tunnel(head, bytes) != nil { written.append(Tunnel.fieldLines) }
    if let field = route.credential.fieldName { written.append(Array("\(field): \(redacted)\r\n".utf8)) }
    written.append("X-Forwarded-For: <the caller's address>\r\nX-Forwarded-Proto: <http or https>\r\n")
    if route.clientCertificate != .none { written.append("Client-Cert: <the caller's certificate, if any>\r\n") }
    if route.clientCertificate == .chain { written.append("Client-Cert-Chain: <those that came with it, if any>\r\n") }
    written.append(forwardedHostOf: head, bytes)
    written.append(head.isHTTP10 ? via.beforeRequestIDOfHTTP10.bytes : via.beforeRequestID.bytes)
    written.append("<a new one>\r\n")
    if head.fields.traceParent != nil { written.append("traceparent: <the same trace, or a new one where it cannot be read>\r\n") }
    let text = String(decoding: written.readable, as: UTF8.self)
    return text.split(separator: "\r\n").map { withoutSecrets(String($0)) }.joined(separator: "\n")
  }

  private static let redacted = "<redacted>"

  /// Fields of the caller that often hold secrets; explanations end up in tickets.
  private static func withoutSecrets(_ line: String) -> String {
    guard let colon = line.firstIndex(of: ":"), !line[..<colon].contains(" ") else { return line }
    let name = line[..<colon].lowercased()
    let isSecret = ["cookie", "auth", "token", "secret", "key", "password"].contains { name.contains($0) }
    return isSecret ? "\(line[..<colon]): \(redacted)" : line
  }
}

extension CredentialRule {
  /// What kind it is, and from where; never its value.
  fileprivate var kind: String {
    switch self {
    case .none: "none: the upstream trusts the gateway"
    case .apiKey(let fieldName, _): "api_key, in the field \(fieldName)"
    case .basic: "basic, in the field Authorization"
    case .clientCredentials(let provider): "client_credentials of provider \(provider), in the field Authorization"
    case .ownedConnection(let provider, let id):
      "connection \(id) at provider \(provider), for its owner alone, in the field Authorization"
    case .jwtBearer(let provider): "jwt_bearer of provider \(provider), in the field Authorization"
    case .tokenExchange(let provider): "token_exchange for the caller at provider \(provider), in the field Authorization"
    case .signedAssertion(let rule):
      "signed_assertion of the caller for \(rule.audience), in the field \(rule.fieldName)"
    case .connection(let provider): "what the caller has connected at provider \(provider), in the field Authorization"
    }
  }
}

extension Span where Element == UInt8 {
  fileprivate func copy(_ range: Range<Int>) -> [UInt8] { extracting(range).withUnsafeBytes { Array($0) } }
}
