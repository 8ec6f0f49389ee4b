import Broker
import Cryptography
import HTTPWire
import OAuthCore
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

@Suite("Routes with kind: connection", .timeLimit(.minutes(5)))
struct ConnectionRouteTests {
  private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
  private static let route = Route.everything(
    access: AccessPolicy(requiredScopes: ["read"]), credential: .connection(provider: ProviderID("vault")))

  private func get(_ token: String) -> String { "GET / HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer \(token)\r\n\r\n" }

  private func scene(
    _ connections: ScriptedConnections, capacity: Int = 100, route: Route = route
  ) throws -> (Gateway, ScriptedUpstream) {
    let upstream = try ScriptedUpstream(answering: Self.ok)
    let verifier = ScriptedVerifier()
    for subject in ["alice", "bob", "carol"] { verifier.add("pat_\(subject)", subject: subject) }
    var limits = EngineLimits()
    limits.connectionCredentials = capacity
    let gateway = try Gateway(
      [route], upstreams: ["up": [upstream.address]], verifier: verifier, connections: connections, limits: limits)
    return (gateway, upstream)
  }

  @Test("without a connection: 424 with the address to connect at, and the upstream hears nothing", arguments: [
    BrokerFailure.notConnected, .needsReauthentication(.refreshTokenRefused), .needsReauthentication(.rotationInDoubt),
  ])
  func notConnected(_ failure: BrokerFailure) throws {
    let connections = ScriptedConnections()
    connections.state.withLock { $0.answers["alice"] = .failure(failure) }
    let (gateway, upstream) = try scene(connections)
    defer { upstream.stop() }
    let client = try gateway.connect()
    client.send(get("pat_alice"))
    let message = try #require(client.readMessage())
    #expect(message.head.hasPrefix("HTTP/1.1 424 "))
    #expect(message.head.contains("Content-Type: application/problem+json\r\n"))
    #expect(message.body.contains(#""connect_url":"https://auth.example.com/connect/vault""#))
    #expect(message.body.contains(#""type":"urn:postern:error:connection_required""#))
    #expect(upstream.received.isEmpty)
    // Once connected, the same caller is served.
    connections.set("alice", "alices")
    client.send(get("pat_alice"))
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
  }

  @Test("a provider that does not help now is 503, one that refuses Postern is 502")
  func unavailable() throws {
    let connections = ScriptedConnections()
    let (gateway, upstream) = try scene(connections)
    defer { upstream.stop() }
    for (failure, status) in [
      (BrokerFailure.unavailable(retryAfter: .seconds(1)), 503), (.refused(.invalidClient, retryAfter: .seconds(9)), 502),
    ] {
      connections.state.withLock { $0.answers["alice"] = .failure(failure) }
      let client = try gateway.connect()
      client.send(get("pat_alice"))
      #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 \(status) ") == true)
    }
    #expect(upstream.received.isEmpty)
  }

  @Test("each caller goes out with what its own subject has connected; asked once, and again after a change")
  func bySubject() throws {
    let connections = ScriptedConnections()
    connections.set("alice", "alices")
    connections.set("bob", "bobs")
    let (gateway, upstream) = try scene(connections)
    defer { upstream.stop() }
    let client = try gateway.connect()
    func status(_ token: String) -> Bool {
      client.send(get(token))
      return client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true
    }
    for token in ["pat_alice", "pat_bob", "pat_alice", "pat_bob"] { #expect(status(token)) }
    #expect(connections.state.withLock { $0.asked } == ["alice", "bob"])
    connections.set("alice", "alices-second")
    gateway.onEngine { $0.apply([.connectionChanged(provider: "vault", Subject("alice"))]) }
    #expect(status("pat_alice") && status("pat_bob"))
    #expect(connections.state.withLock { $0.asked } == ["alice", "bob", "alice"])
    let tokens = upstream.received.joined().split(separator: "\r\n").filter { $0.hasPrefix("Authorization:") }
    #expect(tokens == ["alices", "bobs", "alices", "bobs", "alices-second", "bobs"].map { "Authorization: Bearer \($0)" })
  }

  @Test("a route that names a connection serves its owner alone: others are refused, and the upstream hears nothing of them")
  func owned() throws {
    let id = Locator(high: 7, low: 7)
    let connections = ScriptedConnections()
    for subject in ["alice", "bob"] { connections.set(subject, "\(subject)s") }
    connections.state.withLock { $0.owners[id] = Subject("alice") }
    let route = Route.everything(
      access: AccessPolicy(requiredScopes: ["read"]), credential: .ownedConnection(provider: ProviderID("vault"), id: id))
    let (gateway, upstream) = try scene(connections, route: route)
    defer { upstream.stop() }
    let client = try gateway.connect()
    for _ in 0..<2 {
      client.send(get("pat_bob"))
      let message = try #require(client.readMessage())
      #expect(message.head.hasPrefix("HTTP/1.1 403 ") && message.body.contains("connection_not_owned"))
    }
    #expect(upstream.received.isEmpty && connections.state.withLock { $0.asked }.isEmpty)
    client.send(get("pat_alice"))
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
    #expect(upstream.received.joined().contains("Authorization: Bearer alices\r\n"))
    #expect(connections.state.withLock { $0.ownerAskedCount } == 1)
  }

  @Test("a route that names a connection which is not there serves nobody")
  func ownedByNobody() throws {
    let connections = ScriptedConnections()
    connections.set("alice", "alices")
    let route = Route.everything(
      access: AccessPolicy(requiredScopes: ["read"]),
      credential: .ownedConnection(provider: ProviderID("vault"), id: Locator(high: 7, low: 7)))
    let (gateway, upstream) = try scene(connections, route: route)
    defer { upstream.stop() }
    let client = try gateway.connect()
    client.send(get("pat_alice"))
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 403 ") == true)
    #expect(upstream.received.isEmpty)
  }

  @Test("a disconnected user's next request is refused, whatever the loop remembered")
  func disconnected() throws {
    let connections = ScriptedConnections()
    connections.set("alice", "alices")
    let (gateway, upstream) = try scene(connections)
    defer { upstream.stop() }
    let client = try gateway.connect()
    client.send(get("pat_alice"))
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
    connections.state.withLock { $0.answers["alice"] = nil }
    gateway.onEngine { $0.apply([.connectionChanged(provider: "vault", Subject("alice"))]) }
    client.send(get("pat_alice"))
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 424 ") == true)
  }

  @Test("what a loop remembers is bounded; a user in use stays")
  func bounded() throws {
    let connections = ScriptedConnections()
    for subject in ["alice", "bob", "carol"] { connections.set(subject, subject) }
    let (gateway, upstream) = try scene(connections, capacity: 2)
    defer { upstream.stop() }
    let client = try gateway.connect()
    for token in ["pat_alice", "pat_bob", "pat_carol", "pat_alice"] {
      client.send(get(token))
      #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
    }
    #expect(connections.state.withLock { $0.asked } == ["alice", "bob", "carol", "alice"])
  }
}
