import Broker
import Cryptography
import EventLoop
import JSON
import OAuthCore
import PosternTesting
import Synchronization
import Testing

@testable import EgressHTTP

/// Every endpoint of a provider, at addresses where Postern has no business.
@Suite("SSRF by what providers publish", .timeLimit(.minutes(5)))
struct ProviderEndpointsTests {
  /// The one that an attacker controls; the others are the provider's own, which answers by the book.
  enum Target: String, CaseIterable {
    case metadata, keys, pushedRequest, token, revocation, webhook
  }

  private static let good = "https://good.test"
  private static let id = ProviderID("p")
  private static let ring = try! KeyRing(active: "k1", keys: [("k1", Secret(bytes: Array(0..<32)))])

  @Test(
    "no endpoint of a provider, and no webhook, is connected to where it is, or resolves to, an address that is not public",
    arguments: Target.allCases,
    ["127.0.0.1", "169.254.169.254", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "mapped.test", "mixed.test", "flipping.test"])
  func refused(_ target: Target, host: String) async throws {
    let trap = try ScriptedServer(.ok("{}"))
    defer { trap.stop() }
    var limits = EgressLimits()
    limits.connectTimeout = .milliseconds(200)
    try await Egress.run(resolver: Names(), limits: limits) { egress in
      let provider = PublishedProvider(egress: egress.client, target: target, bad: "https://\(host):\(trap.port)")
      try await use(provider, target)
      // Somebody tried, and got nothing.
      #expect(provider.failures > 0)
    }
    #expect(trap.connectionCount == 0)
  }

  /// Goes through a whole connection, as far as it gets.
  private func use(_ provider: PublishedProvider, _ target: Target) async throws {
    let clock = ManualClock()
    if target == .webhook { return await deliver(provider, clock) }
    let connector = Connector(
      providers: [
        Provider(
          id: Self.id, issuer: provider.issuer, tokenEndpoint: nil,
          client: ProviderClient(id: "c", secret: Secret("s")), scopes: target == .keys ? ["openid"] : ["read"],
          allowedHosts: ["api.test"], authorization: ProviderAuthorization(endpoint: nil))
      ],
      issuer: "https://auth.example.com", flows: InMemoryConnectFlowStore(),
      connections: InMemoryConnectionStore(clock: clock), transport: provider, keyRing: Self.ring, random: SystemRandom(),
      clock: clock, observer: Nobody(), changes: Nobody())
    let (alice, session) = (Subject("alice"), Locator(high: 1, low: 1))
    do throws(Connector.Failure) {
      let address = try await connector.begin(Self.id, for: alice, session: session)
      let query = (try? FormDecoder.decode(Array(address.split(separator: "?")[1].utf8)))
      provider.expect(nonce: query?["nonce"], at: clock.now)
      let flow = try await connector.comeBack(Self.id, state: query?["state"], signedIn: alice, session: session)
      try await connector.finish(Self.id, Connector.Answer(code: "c", error: nil, issuer: nil), of: flow)
      #expect(target == .revocation)
    } catch {
      #expect(target != .revocation, "\(error)")
    }
    try await connector.disconnect(Self.id, of: alice)
  }

  private func deliver(_ provider: PublishedProvider, _ clock: ManualClock) async {
    let store = InMemoryWebhookStore()
    store.add(WebhookDelivery(id: Locator(high: 1, low: 1), event: Locator(high: 1, low: 2), endpoint: "e", payload: "{}", attempt: 0))
    let endpoint = WebhookEndpoint(
      id: "e", url: EndpointURL("\(provider.bad)/hook")!,
      secret: WebhookSecret(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))!)
    let dispatcher = WebhookDispatcher(
      endpoints: [endpoint], store: store, transport: provider, clock: clock, random: SystemRandom(), sleeper: Cancelled(),
      report: { _ in })
    await dispatcher.run()
    #expect(store.outcomes.count == 1 && store.outcomes.first != .delivered)
  }

  private struct Nobody: BrokerObserver, ChangeObserver {
    func observe(_ event: BrokerEvent, of connection: ConnectionKey) {}
    func apply(_ changes: [Change]) {}
    func forgetEverything() {}
  }

  /// Ends whoever waits.
  private struct Cancelled: Sleeper {
    func sleep(for duration: Duration) async { withUnsafeCurrentTask { $0?.cancel() } }
  }

  /// A second look at `flipping.test` would be taken in.
  private final class Names: NameResolver {
    private let looks = Mutex(0)

    func addresses(of host: String, port: UInt16) -> [SocketAddress] {
      let addresses =
        switch host {
        case "mapped.test": ["::ffff:127.0.0.1"]
        case "mixed.test": ["8.8.8.8", "127.0.0.1"]
        // 2d00::/8 is global unicast space that nobody has been given.
        case "flipping.test": looks.withLock { $0 += 1; return $0 == 1 } ? ["2d00::1"] : ["127.0.0.1"]
        default: [String]()
        }
      return addresses.compactMap { SocketAddress(literal: $0, port: port) }
    }
  }

  /// A provider of which one endpoint is where the attacker wants; what is asked there goes out by the real client.
  private final class PublishedProvider: ProviderTransport {
    let bad: String
    var issuer: String { target == .metadata ? bad : good }
    private let egress: EgressClient
    private let target: Target
    private let state = Mutex((failures: 0, idToken: ""))
    private let key = SigningKey.generate(.es256)

    init(egress: EgressClient, target: Target, bad: String) {
      self.egress = egress
      self.target = target
      self.bad = bad
    }

    var failures: Int { state.withLock { $0.failures } }

    func expect(nonce: String?, at now: Timestamp) {
      let claims: JSONObject = [
        "iss": .string(good), "aud": "c", "sub": "u", "nonce": .string(nonce ?? ""), "iat": .integer(now.seconds),
        "exp": .integer(now.seconds + 60),
      ]
      state.withLock { $0.idToken = JWT.sign(claims, type: "JWT", with: key) }
    }

    func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
      guard request.url.host == "good.test" else {
        do { return try await egress.send(request) } catch {
          state.withLock { $0.failures += 1 }
          throw error
        }
      }
      let body =
        request.url.target == "/token"
        ? #"{"access_token":"a","refresh_token":"r","id_token":"\#(state.withLock { $0.idToken })"}"# : metadata
      return ProviderResponse(status: 200, contentType: "application/json", body: Secret(body))
    }

    private var metadata: String {
      func at(_ name: Target, _ path: String) -> JSON { .string((target == name ? bad : good) + path) }
      var document: JSONObject = [
        "issuer": .string(issuer), "authorization_endpoint": .string("\(good)/authorize"), "token_endpoint": at(.token, "/token"),
        "jwks_uri": at(.keys, "/jwks"), "revocation_endpoint": at(.revocation, "/revoke"),
      ]
      if target == .pushedRequest { document["pushed_authorization_request_endpoint"] = at(.pushedRequest, "/par") }
      return String(decoding: document.bytes, as: UTF8.self)
    }
  }
}
