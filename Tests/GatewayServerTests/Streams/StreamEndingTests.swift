import Broker
import Cryptography
import CLinux
import EventLoop
import OAuthCore
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

/// What stream is under way when its token ends.
enum StreamKind: CaseIterable, Sendable {
  case webSocket
  case events
  case untilClose
  /// Announced, but not whole.
  case download
  /// Nothing has been answered yet.
  case waiting
}

@Suite(.serialized) struct StreamEndingTests {
  private static let family = Locator(high: 7, low: 7)

  /// Answers by the path, then keeps silent.
  private static func upstream(ended: Semaphore? = nil) throws -> ScriptedUpstream {
    try ScriptedUpstream { connection, _ in
      guard let head = connection.readHead() else { return }
      switch head.split(separator: " ")[1] {
      case "/webSocket": connection.send(Array(WebSocketPeer.switching.utf8) + WebSocketPeer.text("hello"))
      case "/events":
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n\u{81}hello\r\n")
      case "/untilClose": connection.send("HTTP/1.1 200 OK\r\n\r\n\u{81}hello")
      case "/download": connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\u{81}hello")
      case "/short":
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      default: break
      }
      while connection.receive() != nil {}
      ended?.signal()
    }
  }

  private static func gateway(
    _ upstream: ScriptedUpstream, rules: StreamRules = .webSocket, connections: any ConnectionSource = NoConnections(),
    credential: CredentialRule = .none, limits: EngineLimits = EngineLimits(), accessLog: AccessLog.Sink? = nil
  ) throws -> Gateway {
    let gateway = try Gateway(
      [.everything(access: AccessPolicy(requiredScopes: ["read"]), credential: credential, streams: rules)],
      upstreams: ["up": [upstream.address]], connections: connections, limits: limits, accessLog: accessLog)
    gateway.verifier.add("t", family: family, client: "c", subject: "s")
    gateway.verifier.add("other", client: "d", subject: "r")
    return gateway
  }

  /// Begins a stream and reads what comes of it at once.
  private static func open(_ kind: StreamKind, at gateway: Gateway, token: String = "t") throws -> RawConnection {
    let client = try gateway.connect()
    let authorization = "Authorization: Bearer \(token)\r\n"
    switch kind {
    case .webSocket: client.send(WebSocketPeer.request(authorization, path: "/webSocket"))
    default: client.send("GET /\(kind) HTTP/1.1\r\nHost: a\r\n\(authorization)\r\n")
    }
    if kind == .waiting {
      waitUntil { gateway.counters.proxiedRequests > 0 }
      return client
    }
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 ") == true)
    #expect(client.read(7) != nil)
    return client
  }

  private static func expectEnd(_ kind: StreamKind, _ client: RawConnection) {
    switch kind {
    case .webSocket:
      #expect(client.readClose() == 1008)
      #expect(!client.endsWithReset())
    case .events, .untilClose, .download: #expect(client.endsWithReset(), "no client may take what it got for the whole")
    case .waiting: #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 401 ") == true)
    }
  }

  @Test("a revoked token ends what is under way with it, towards both sides, and nothing else", arguments: StreamKind.allCases)
  func revocation(kind: StreamKind) throws {
    let ended = Semaphore()
    let upstream = try Self.upstream(ended: ended)
    defer { upstream.stop() }
    let log = Mutex<[UInt8]>([])
    let gateway = try Self.gateway(upstream) { lines in log.withLock { $0 += lines } }
    let client = try Self.open(kind, at: gateway)
    let other = try Self.open(.webSocket, at: gateway, token: "other")
    gateway.onEngine { $0.apply([.familyRevoked(Locator(high: 9, low: 9)), .familyRevoked(Self.family)]) }
    Self.expectEnd(kind, client)
    ended.wait()
    #expect(gateway.counters.revokedStreams == 1)
    #expect(gateway.verifier.state.withLock { $0.confirmed } == 0)
    #expect(gateway.onEngine { $0.clients.contains { $0.phase == .tunnelling } })
    other.close()
    waitUntil { log.withLock { $0.count { $0 == 0x0a } } == 2 }
    if kind != .waiting { #expect(String(decoding: log.withLock { $0 }, as: UTF8.self).contains("\"ended\":\"revoked\"")) }
  }

  @Test("RFC 6455 §5.5: within a frame of the upstream's no close frame is sent; the connection is reset")
  func midFrame() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(Array(WebSocketPeer.switching.utf8) + [0x82, 100, 1, 2, 3])
      while connection.receive() != nil {}
    }
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connect()
    client.send(WebSocketPeer.request("Authorization: Bearer t\r\n"))
    #expect(client.readHead() != nil)
    #expect(client.read(5) != nil)
    gateway.onEngine { $0.apply([.familyRevoked(Self.family)]) }
    #expect(client.endsWithReset())
  }

  @Test("a reader so slow that bytes still wait gets none of them after the revocation")
  func slowReader() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(WebSocketPeer.switching)
      while connection.send([0x82, 126, 0x40, 0] + [UInt8](repeating: 1, count: 0x4000)) {}
    }
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connect()
    client.send(WebSocketPeer.request("Authorization: Bearer t\r\n"))
    #expect(client.readHead() != nil)
    waitUntil { gateway.onEngine { $0.clients.contains { !$0.channel.outbound.isEmpty } } }
    gateway.onEngine { $0.apply([.familyRevoked(Self.family)]) }
    #expect(gateway.counters.clientConnections == 0)
    #expect(client.endsWithReset())
  }

  @Test("a change that leaves doubt is asked about once per token; what still holds goes on, what ended is cut", arguments: [
    Change.clientChanged(ClientID("c")), .accountChanged(Subject("s")), .signingKeysChanged,
  ])
  func doubt(change: Change) throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let clients = try (0..<3).map { _ in try Self.open(.webSocket, at: gateway) }
    gateway.onEngine { $0.apply([change]) }
    waitUntil { gateway.verifier.state.withLock { $0.confirmed } == 1 }
    #expect(gateway.onEngine { $0.clients.count { $0.phase == .tunnelling } } == 3)
    gateway.verifier.state.withLock { $0.facts["t"] = nil }
    gateway.onEngine { $0.apply([change]) }
    for client in clients { Self.expectEnd(.webSocket, client) }
    #expect(gateway.verifier.state.withLock { $0.confirmed } == 2)
  }

  @Test("a client that lost a scope loses the streams that needed it")
  func lostScope() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try Self.open(.events, at: gateway)
    gateway.verifier.add("t", scope: ["other"], family: Self.family)
    gateway.onEngine { $0.apply([.clientChanged(ClientID("c"))]) }
    Self.expectEnd(.events, client)
  }

  @Test("after a feed that lost the thread every stream's token is asked about, and those no longer good are cut")
  func lostFeed() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let gone = try Self.open(.webSocket, at: gateway)
    let kept = try Self.open(.webSocket, at: gateway, token: "other")
    gateway.verifier.state.withLock { $0.facts["t"] = nil }
    gateway.onEngine { $0.forgetEverything() }
    Self.expectEnd(.webSocket, gone)
    #expect(gateway.onEngine { $0.clients.count { $0.phase == .tunnelling } } == 1)
    kept.close()
  }

  @Test("a doubt that nobody can settle ends the stream: rather none than one on a stale yes")
  func unsettled() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.streamDoubtTimeout = .milliseconds(500)
    let gateway = try Self.gateway(upstream, limits: limits)
    let client = try Self.open(.webSocket, at: gateway)
    gateway.verifier.state.withLock { $0.isUnavailable = true }
    gateway.onEngine { $0.apply([.clientChanged(ClientID("c"))]) }
    Self.expectEnd(.webSocket, client)
    #expect(gateway.verifier.state.withLock { $0.confirmed } > 1)
  }

  @Test("a user's ended connection ends the streams that rest on it; a refreshed one does not")
  func connection() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let source = SwitchedConnections()
    let gateway = try Self.gateway(upstream, connections: source, credential: .connection(provider: ProviderID("box")))
    let client = try Self.open(.webSocket, at: gateway)
    let other = try Self.open(.webSocket, at: gateway, token: "other")
    let change = Change.connectionChanged(provider: "box", Subject("s"))
    let asked = source.state.withLock { $0.asked }
    gateway.onEngine { $0.apply([change]) }
    waitUntil { source.state.withLock { $0.asked } == asked + 1 }
    #expect(gateway.onEngine { $0.clients.count { $0.phase == .tunnelling } } == 2)
    source.state.withLock { $0.isConnected = false }
    gateway.onEngine { $0.apply([change]) }
    Self.expectEnd(.webSocket, client)
    #expect(gateway.onEngine { $0.clients.count { $0.phase == .tunnelling } } == 1)
    other.close()
  }

  @Test("streams end when their token's expiry and the route's grace are over; a response that tells its end does not")
  func expiry() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream, rules: StreamRules(allowsWebSocket: true, expiryGrace: .milliseconds(500)))
    let expiresAt = Timestamp(microseconds: postern_unix_microseconds()) + .milliseconds(600)
    gateway.verifier.add("t", expiresAt: expiresAt)
    let waiting = try Self.open(.waiting, at: gateway)
    let download = try Self.open(.download, at: gateway)
    let kinds = [StreamKind.webSocket, .events, .untilClose]
    let streams = try kinds.map { (kind: $0, client: try Self.open($0, at: gateway)) }
    for stream in streams { Self.expectEnd(stream.kind, stream.client) }
    #expect(Timestamp(microseconds: postern_unix_microseconds()) >= expiresAt + .milliseconds(500))
    #expect(gateway.counters.expiredStreams == 3)
    #expect(gateway.onEngine { $0.clients.count { $0.phase == .forwarding } } == 2)
    waiting.close()
    download.close()
  }

  @Test("a route may let streams outlast revocation and expiry")
  func outlasting() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let gateway = try Self.gateway(
      upstream, rules: StreamRules(allowsWebSocket: true, endsOnRevocation: false, expiryGrace: nil))
    gateway.verifier.add("t", family: Self.family, expiresAt: Timestamp(microseconds: postern_unix_microseconds()) + .milliseconds(300))
    let client = try Self.open(.webSocket, at: gateway)
    gateway.onEngine { engine in
      engine.apply([.familyRevoked(Self.family)])
      engine.forgetEverything()
    }
    // Two rounds of the clock that ends expired streams.
    let begun = postern_monotonic_nanoseconds()
    waitUntil { postern_monotonic_nanoseconds() - begun > 2_200_000_000 }
    #expect(gateway.onEngine { $0.clients.count { $0.phase == .tunnelling } } == 1)
    #expect(gateway.verifier.state.withLock { $0.confirmed } == 0)
    client.close()
  }

  @Test("what began on a route that a new configuration leaves out goes on, under the rules it began with")
  func reloadedRoute() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try Self.open(.webSocket, at: gateway)
    // Its route is gone, what it began goes on, and the rules it began under still hold.
    let empty = try Gateway.snapshot([], [:])
    gateway.onEngine { $0.apply(empty) }
    #expect(gateway.onEngine { $0.clients.count { $0.phase == .tunnelling } } == 1)
    gateway.onEngine { $0.apply([.familyRevoked(Self.family)]) }
    Self.expectEnd(.webSocket, client)
  }

  @Test("RFC 9113 §8.1: over HTTP/2 a revoked token resets the streams that rest on it, and no others")
  func http2() throws {
    let upstream = try Self.upstream()
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try gateway.connectHTTP2()
    let ending = client.get("/events", [("authorization", "Bearer t")])
    let waiting = client.get("/waiting", [("authorization", "Bearer t")])
    let kept = client.get("/events", [("authorization", "Bearer other")])
    client.readUntil { client in [ending, kept].allSatisfy { client.responses[$0]?.body.isEmpty == false } }
    waitUntil { gateway.counters.proxiedRequests == 3 }
    gateway.onEngine { $0.apply([.familyRevoked(Self.family)]) }
    let ended = client.response(ending)
    #expect(ended?.isComplete == false && ended?.error != nil)
    #expect(client.response(waiting)?.status == "401")
    // What was to come for the other would have come before this.
    #expect(client.response(client.get("/short", [("authorization", "Bearer other")]))?.body == "ok")
    #expect(client.responses[kept]?.isComplete == false && client.responses[kept]?.error == nil)
  }

  @Test("an event stream that its reader leaves is left by the gateway before the next event")
  func leftEventStream() throws {
    let ended = Semaphore()
    let upstream = try Self.upstream(ended: ended)
    defer { upstream.stop() }
    let gateway = try Self.gateway(upstream)
    let client = try Self.open(.events, at: gateway)
    client.close()
    ended.wait()
    waitUntil { gateway.counters.clientConnections == 0 }
  }
}

/// Connections of everybody that are there or not.
private final class SwitchedConnections: ConnectionSource {
  let state = Mutex((isConnected: true, asked: 0))

  func credential(
    for provider: ProviderID, of subject: Subject, refused generation: Int64?
  ) async throws(BrokerFailure) -> LiveCredential {
    let isConnected = state.withLock { state in
      state.asked += 1
      return state.isConnected
    }
    guard isConnected else { throw .notConnected }
    let forever = Timestamp(seconds: 4_000_000_000)
    return LiveCredential(fieldValue: Secret("Bearer upstream"), expiresAt: forever, renewAt: forever, generation: 1)
  }

  func connectURL(for provider: ProviderID) -> String { "" }
}
