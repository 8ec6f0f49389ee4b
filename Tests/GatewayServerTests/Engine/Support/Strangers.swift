import Broker
import Cryptography
import EventLoop
import Glibc
import JSON
import OAuthCore
import PosternTesting
import ReverseProxy
import Synchronization

@testable import GatewayServer

/// Foreign issuers and endpoints as tests script them: what each URL answers, and how often it was asked.
final class Strangers: ProviderTransport, ChangeObserver {
  private struct State {
    var answers: [String: @Sendable (ProviderRequest) -> ProviderResponse?] = [:]
    var requests: [ProviderRequest] = []
    var gateway: Gateway?
  }
  private let state = Mutex(State())
  /// Where questions wait for their answers.
  let gate = Turnstile()
  /// Stands at the moment of the test's start: the engine's own clock goes on.
  let clock = ManualClock(Strangers.wallNow)

  /// Where keys are fetched: the default executor's threads may all wait in tests.
  private static let loop: EventLoop = {
    let group = try! EventLoopGroup(count: 1)
    group.start()
    return group.loops[0]
  }()

  static var wallNow: Timestamp {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Timestamp(seconds: Int64(now.tv_sec))
  }

  func sources() -> ForeignSources {
    ForeignSources(
      ownIssuer: "https://auth.example.com", transport: self, clock: clock, executor: Self.loop, changes: self, report: { _ in })
  }

  /// Engine and routes in front of one upstream.
  func gateway(_ routes: [Route], upstream: ScriptedUpstream, limits: EngineLimits = EngineLimits()) throws -> Gateway {
    let gateway = try Gateway(routes, upstreams: ["up": [upstream.address]], foreign: sources(), limits: limits)
    state.withLock { $0.gateway = gateway }
    return gateway
  }

  /// - Parameter answer: nil: nobody is there.
  func at(_ url: String, _ answer: @escaping @Sendable (ProviderRequest) -> ProviderResponse?) {
    state.withLock { $0.answers[url] = answer }
  }

  /// Publishes metadata and keys.
  func publish(_ keys: [SigningKey], issuer: String = Strangers.idp, named: String? = nil) {
    let metadata = #"{"issuer":"\#(named ?? issuer)","jwks_uri":"\#(issuer)/jwks"}"#
    at("\(issuer)/.well-known/oauth-authorization-server") { _ in ProviderResponse(status: 200, body: Secret(metadata)) }
    let set = JWKSet(keys: keys.map(\.publicJWK)).publicJSON.bytes
    at("\(issuer)/jwks") { _ in ProviderResponse(status: 200, body: Secret(bytes: set)) }
  }

  func count(_ url: String) -> Int { state.withLock { $0.requests.count { $0.url.description == url } } }
  var requests: [ProviderRequest] { state.withLock { $0.requests } }

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    let answer = state.withLock { state in
      state.requests.append(request)
      return state.answers[request.url.description]
    }
    await gate.pass()
    guard let response = answer?(request) else { throw .connect }
    return response
  }

  func apply(_ changes: [Change]) { state.withLock { $0.gateway }?.onEngine { $0.apply(changes) } }
  func forgetEverything() {}

  // MARK: Tokens

  static let idp = "https://idp.example"

  static func token(_ key: SigningKey, issuer: String = idp, _ changes: JSONObject = [:]) -> String {
    var claims: JSONObject = [
      "iss": .string(issuer), "aud": "gw", "sub": "alice", "client_id": "app", "scope": "read", "exp": 4_000_000_000,
    ]
    for (name, value) in changes.members { claims[name] = value }
    return JWT.sign(claims, type: "at+jwt", with: key)
  }
}

extension Route {
  static func accepting(_ accepts: [TokenAcceptance], at path: String, scopes: ScopeSet = ["read"]) -> Route {
    Route(
      name: String(path.dropFirst()), pattern: try! PathPattern("\(path)/**"),
      access: AccessPolicy(accepts: accepts, requiredScopes: scopes), upstream: "up")
  }
}

extension TokenAcceptance {
  static func idp(_ issuer: String = Strangers.idp, audience: String = "gw") -> TokenAcceptance {
    .issuer(ForeignIssuer(identifier: issuer), audience: audience)
  }

  static func endpoint(_ url: String, stalenessMax: Duration = .zero) -> TokenAcceptance {
    .introspection(
      IntrospectionService(
        endpoint: EndpointURL(url)!, client: ProviderClient(id: "gw", secret: Secret("secret")), stalenessMax: stalenessMax),
      audience: nil)
  }
}
