import Broker
import Cryptography
import EventLoop
import HTTPWire
import JSON
import NetworkAddress
import OAuthCore
import PosternTesting
import ReverseProxy
import Synchronization

@testable import GatewayServer

/// A running engine on a loop of its own, in front of scripted upstreams.
final class Gateway: @unchecked Sendable {
  // SAFETY: the stored state is set once, before anyone else sees the object.
  let group: EventLoopGroup
  let verifier: ScriptedVerifier
  let credentials: ScriptedCredentials
  private(set) var engine: Engine!
  private(set) var address: SocketAddress!

  init(
    _ routes: [Route], upstreams: [String: [SocketAddress]], endpoints: EndpointTable = EndpointTable(),
    verifier: ScriptedVerifier = ScriptedVerifier(), credentials: ScriptedCredentials = ScriptedCredentials(),
    connections: any ConnectionSource = NoConnections(), foreign: ForeignSources? = nil,
    assertions: IdentityAssertions? = nil,
    freshness: any Freshness = AlwaysFresh(), limits: EngineLimits = EngineLimits(), timeouts: Upstream.Timeouts = .init(),
    trustedProxies: [AddressBlock] = [], via: ViaField = .none, accessLog: AccessLog.Sink? = nil
  ) throws {
    group = try EventLoopGroup(count: 1)
    self.verifier = verifier
    self.credentials = credentials
    group.start()
    let snapshot = try Gateway.snapshot(routes, upstreams, timeouts)
    let ports = Engine.Ports(
      verifier: verifier, freshness: freshness, credentials: credentials, connections: connections, foreign: foreign,
      assertions: assertions)
    let loop = group.loops[0]
    (engine, address) = onLoop(loop) {
      let engine = Engine(loop: loop, endpoints: endpoints, ports: ports, limits: limits, trustedProxies: trustedProxies, via: via, accessLog: accessLog)
      engine.apply(snapshot)
      let address = try! engine.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!)
      return (engine, address)
    }
  }

  static func snapshot(
    _ routes: [Route], _ upstreams: [String: [SocketAddress]], _ timeouts: Upstream.Timeouts = .init()
  ) throws -> GatewaySnapshot {
    var addresses: [Origin: [SocketAddress]] = [:]
    let values = try upstreams.map { name, servers in
      let origins = try servers.map { server in
        let origin = try Origin("http://\(server)")
        addresses[origin] = [server]
        return origin
      }
      return Upstream(name: name, servers: origins, timeouts: timeouts)
    }
    return GatewaySnapshot(routes: try RouteTable(routes), upstreams: values, addresses: addresses)
  }

  /// One anonymous route `/**` to one upstream.
  static func open(_ upstream: SocketAddress, limits: EngineLimits = EngineLimits(), timeouts: Upstream.Timeouts = .init()) throws -> Gateway {
    try Gateway([.everything()], upstreams: ["up": [upstream]], limits: limits, timeouts: timeouts)
  }

  deinit { group.stop() }

  func connect() throws -> RawConnection {
    let connection = try RawConnection(to: address)
    connection.owner = self
    return connection
  }

  /// Sends `request` on a connection of its own and reads the answer until the gateway ends it.
  func exchange(_ request: String) throws -> String {
    let client = try connect()
    client.send(request)
    return client.readAll()
  }

  func onEngine<Result: Sendable>(_ body: @escaping @Sendable (Engine) -> Result) -> Result {
    onLoop(group.loops[0]) { body(self.engine) }
  }

  var counters: EngineCounters { onEngine { $0.counters } }
}

extension Route {
  static func everything(
    access: AccessPolicy = .anonymous, credential: CredentialRule = .none, rewrite: PathRewrite = .identity,
    limits: RouteLimits = RouteLimits(), streams: StreamRules = StreamRules()
  ) -> Route {
    Route(
      name: "all", pattern: try! PathPattern("/**"), access: access, credential: credential, upstream: "up",
      rewrite: rewrite, limits: limits, streams: streams)
  }
}

func onLoop<Result: Sendable>(_ loop: EventLoop, _ body: @escaping @Sendable () -> Result) -> Result {
  let box = ResultBox<Result>()
  loop.execute { box.set(body()) }
  return box.wait()
}

/// Hands one value from a thread to another.
final class ResultBox<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let semaphore = Semaphore()

  func set(_ result: Value) {
    value.withLock { $0 = result }
    semaphore.signal()
  }

  func wait() -> Value {
    semaphore.wait()
    return value.withLock { $0! }
  }
}

/// Knows the tokens a test gives it.
final class ScriptedVerifier: TokenVerifier {
  struct State {
    var facts: [String: TokenFacts] = [:]
    var isUnavailable = false
    var asked: [String] = []
    /// How often somebody asked again about a token that is under way.
    var confirmed = 0
  }
  let state = Mutex(State())
  /// Where verifications wait for their outcome.
  let gate = Turnstile()

  func add(
    _ token: String, scope: ScopeSet = ["read"], audience: [String] = [], family: Locator? = nil, client: String = "c",
    subject: String = "s", expiresAt: Timestamp = Timestamp(seconds: 4_000_000_000), claims: JSONObject = [:]
  ) {
    let locator = Locator(high: 1, low: UInt64(token.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) }))
    state.withLock {
      $0.facts[token] = TokenFacts(
        authorization: Authorization(subject: Subject(subject), client: ClientID(client), scope: scope, audience: audience, claims: claims),
        family: family, locator: locator, issuedAt: Timestamp(seconds: 0), expiresAt: expiresAt,
        secretHash: SHA256.digest(token))
    }
  }

  func verify(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts? {
    let text = String(decoding: token, as: UTF8.self)
    let facts = state.withLock { state in
      state.asked.append(text)
      return state.facts[text]
    }
    await gate.pass()
    if state.withLock({ $0.isUnavailable }) { throw .unavailable }
    return facts
  }

  func confirm(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts? {
    let (isUnavailable, found) = state.withLock { state in
      state.confirmed += 1
      return (state.isUnavailable, state.facts.values.first { $0.secretHash == facts.secretHash })
    }
    if isUnavailable { throw .unavailable }
    return found
  }

  var asked: [String] { state.withLock { $0.asked } }
}

final class ScriptedCredentials: CredentialSource {
  struct State {
    var answers: [Result<LiveCredential, BrokerFailure>] = []
    var askedCount = 0
  }
  let state = Mutex(State())
  /// Where callers wait for their credential.
  let gate = Turnstile()

  func credential(for provider: ProviderID, refused generation: Int64?) async throws(BrokerFailure) -> LiveCredential {
    let answer = state.withLock { state in
      state.askedCount += 1
      return state.answers.count > 1 ? state.answers.removeFirst() : state.answers.first
    }
    await gate.pass()
    guard let answer else { throw .unknownProvider }
    return try answer.get()
  }
}
