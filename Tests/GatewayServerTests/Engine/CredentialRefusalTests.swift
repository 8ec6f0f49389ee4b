import Broker
import HTTPWire
import OAuthCore
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

/// Alice, whose first token the upstream no longer takes.
private struct Scene {
  let connections = ScriptedConnections()
  let upstream: ScriptedUpstream
  let gateway: Gateway

  static let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"box\"\r\nContent-Length: 2\r\n\r\nno"

  /// - Parameter taken: the token that the upstream takes; nil: none.
  init(taking taken: String? = "second", isEarly: Bool = false) throws {
    connections.set("alice", "first")
    upstream = try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length:") }
          .flatMap { Int($0.dropFirst(15).trimmed) }
        if let length, !isEarly, connection.read(length) == nil { return }
        if head.contains("chunked"), connection.read(15) == nil { return }
        let isTaken = taken.map { head.contains("Authorization: Bearer \($0)\r\n") } ?? false
        guard connection.send(isTaken ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" : Scene.refusal) else { return }
      }
    }
    let verifier = ScriptedVerifier()
    verifier.add("pat_alice", subject: "alice")
    let route = Route.everything(
      access: AccessPolicy(requiredScopes: ["read"]), credential: .connection(provider: ProviderID("vault")))
    gateway = try Gateway([route], upstreams: ["up": [upstream.address]], verifier: verifier, connections: connections)
  }

  func succeed(with answers: Result<LiveCredential, BrokerFailure>...) {
    connections.state.withLock { $0.successors = answers }
  }

  var refused: [Int64] { connections.state.withLock { $0.refused } }
  /// The tokens that the upstream has seen.
  var tokens: [String] {
    upstream.received.joined().split(separator: "\r\n").filter { $0.hasPrefix("Authorization:") }.map { String($0.dropFirst(22)) }
  }

  static func request(_ method: String = "GET", _ fields: String = "", _ body: String = "") -> String {
    "\(method) / HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer pat_alice\r\n\(fields)\r\n\(body)"
  }
}

/// DESIGN §5: a 401 of the upstream. The caller's token is good: what was refused is what Postern has sent.
@Suite("Upstreams that refuse a connection's credential", .timeLimit(.minutes(5)))
struct CredentialRefusalTests {
  @Test("an upstream that answers 401 once is invisible to the client and costs one refresh", arguments: [
    Scene.request(), Scene.request("POST", "Content-Length: 5\r\n", "hello"),
    Scene.request("PUT", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
  ])
  func once(_ request: String) throws {
    let scene = try Scene()
    defer { scene.upstream.stop() }
    scene.succeed(with: .success(ScriptedConnections.live("second", generation: 2)))
    let client = try scene.gateway.connect()
    for _ in 0..<2 {
      client.send(request)
      let message = client.readMessage()
      #expect(message?.head.hasPrefix("HTTP/1.1 200 ") == true && message?.body == "ok")
    }
    #expect(scene.refused == [1])
    #expect(scene.tokens == ["first", "second", "second"])
  }

  @Test("a body that arrives in pieces is sent again as a whole")
  func pieces() throws {
    let scene = try Scene()
    defer { scene.upstream.stop() }
    scene.succeed(with: .success(ScriptedConnections.live("second", generation: 2)))
    let client = try scene.gateway.connect()
    let piece = String(repeating: "x", count: 10_000)
    client.send(Scene.request("POST", "Content-Length: 50000\r\n"))
    for number in 1...5 {
      client.send(piece)
      waitUntil { scene.upstream.received.joined().utf8.count >= number * piece.utf8.count }
    }
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
    #expect(scene.tokens == ["first", "second"])
    #expect(scene.upstream.received.last?.hasSuffix(String(repeating: piece, count: 5)) == true)
  }

  @Test("what is larger than the replay buffer is not sent again: the client gets the 401, the next request the successor")
  func tooLarge() throws {
    let scene = try Scene()
    defer { scene.upstream.stop() }
    scene.succeed(with: .success(ScriptedConnections.live("second", generation: 2)))
    let body = String(repeating: "x", count: 200_000)
    let client = try scene.gateway.connect()
    client.send(Scene.request("POST", "Content-Length: 200000\r\n", body))
    let message = try #require(client.readMessage())
    #expect(message.head.hasPrefix("HTTP/1.1 401 ") && message.body == "no")
    #expect(scene.tokens == ["first"])
    waitUntil { scene.refused == [1] }
    client.send(Scene.request())
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
  }

  @Test("an upload of 1 GiB that is refused early is not sent again")
  func upload() throws {
    let scene = try Scene(isEarly: true)
    defer { scene.upstream.stop() }
    scene.succeed(with: .success(ScriptedConnections.live("second", generation: 2)))
    let client = try scene.gateway.connect()
    client.send(Scene.request("PUT", "Content-Length: \(1 << 30)\r\n", "the first bytes"))
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 401 ") == true)
    #expect(scene.tokens == ["first"])
    waitUntil { scene.refused == [1] }
  }

  @Test("an upstream that refuses the successor, too, costs one refresh; its 401 passes, the challenge renamed")
  func storm() throws {
    let scene = try Scene(taking: nil)
    defer { scene.upstream.stop() }
    scene.succeed(with: .success(ScriptedConnections.live("second", generation: 2, heedsRefusal: false)))
    let client = try scene.gateway.connect()
    for _ in 0..<10 {
      client.send(Scene.request())
      let message = try #require(client.readMessage())
      #expect(message.head.hasPrefix("HTTP/1.1 401 ") && message.body == "no")
      #expect(!message.head.contains("\r\nWWW-Authenticate:"))
    }
    #expect(scene.refused == [1])
    #expect(scene.tokens == ["first"] + [String](repeating: "second", count: 10))
  }

  @Test("when the user has to connect again, that is the answer")
  func needsReauthentication() throws {
    let scene = try Scene()
    defer { scene.upstream.stop() }
    scene.succeed(with: .failure(.needsReauthentication(.refreshTokenRefused)))
    let client = try scene.gateway.connect()
    client.send(Scene.request())
    let message = try #require(client.readMessage())
    #expect(message.head.hasPrefix("HTTP/1.1 424 "))
    #expect(message.body.contains(#""connect_url":"https://auth.example.com/connect/vault""#))
  }

  @Test("a provider that does not help now leaves the upstream's 401 as it is")
  func noSuccessor() throws {
    let scene = try Scene()
    defer { scene.upstream.stop() }
    scene.succeed(
      with: .failure(.unavailable(retryAfter: .seconds(1))), .success(ScriptedConnections.live("second", generation: 2)))
    let client = try scene.gateway.connect()
    client.send(Scene.request())
    let message = try #require(client.readMessage())
    #expect(message.head.hasPrefix("HTTP/1.1 401 ") && message.body == "no")
    client.send(Scene.request())
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
  }

  @Test("a change that is heard of while a successor is fetched does not bring back what was refused")
  func changedMeanwhile() throws {
    let scene = try Scene()
    defer { scene.upstream.stop() }
    // Not stored yet when the store is read again.
    scene.succeed(with: .success(ScriptedConnections.live("first")), .success(ScriptedConnections.live("second", generation: 2)))
    scene.connections.gate.hold()
    let client = try scene.gateway.connect()
    client.send(Scene.request())
    waitUntil { scene.refused == [1] }
    scene.gateway.onEngine { $0.apply([.connectionChanged(provider: "vault", Subject("alice"))]) }
    scene.connections.gate.release()
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
    #expect(scene.refused == [1, 1])
  }

  @Test("a burst of refusals costs one refresh; who leaves meanwhile leaves nothing behind")
  func burst() throws {
    let scene = try Scene()
    defer { scene.upstream.stop() }
    scene.succeed(with: .success(ScriptedConnections.live("second", generation: 2)))
    scene.connections.gate.hold()
    let clients = try (0..<50).map { _ in try scene.gateway.connect() }
    for client in clients { client.send(Scene.request()) }
    waitUntil { scene.upstream.received.count >= 50 && scene.refused == [1] }
    clients[0].reset()
    waitUntil { scene.gateway.counters.clientConnections == 49 }
    scene.connections.gate.release()
    for client in clients[1...] { #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true) }
    #expect(scene.refused == [1])
    for client in clients[1...] { client.close() }
    waitUntil { scene.gateway.counters.clientConnections == 0 }
  }
}
