import Broker
import Cryptography
import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

private final class Switch: Freshness {
  let value = Mutex(true)
  var isFresh: Bool { value.withLock { $0 } }
}

@Suite(.serialized) struct AccessTests {
  private func get(_ token: String?, path: String = "/") -> String {
    "GET \(path) HTTP/1.1\r\nHost: a\r\n" + (token.map { "Authorization: Bearer \($0)\r\n" } ?? "") + "\r\n"
  }

  private func status(_ client: RawConnection, _ request: String) -> String {
    client.send(request)
    return client.readMessage().map { String($0.head.dropFirst(9).prefix(3)) } ?? "none"
  }

  private let guarded = Route.everything(
    access: AccessPolicy(requiredScopes: ["read"], audience: "https://api"),
    credential: .apiKey(fieldName: "X-Api-Key", key: Secret("upstream-key")))

  @Test("RFC 6750 §3.1: a request without a good token is challenged and not forwarded")
  func denials() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway([guarded], upstreams: ["up": [upstream.address]])
    gateway.verifier.add("good", audience: ["https://api"])
    gateway.verifier.add("narrow", scope: ["other"], audience: ["https://api"])
    gateway.verifier.add("elsewhere", audience: ["https://other"])
    gateway.verifier.add("old", audience: ["https://api"], expiresAt: Timestamp(seconds: 1))
    let client = try gateway.connect()
    for (authorization, status, error) in [
      (nil, "401", nil), ("Basic abc", "401", nil), ("Bearer", "400", "invalid_request"), ("Bearer a b", "400", "invalid_request"),
      ("Bearer unknown", "401", "invalid_token"), ("Bearer old", "401", "invalid_token"),
      ("Bearer elsewhere", "401", "invalid_token"), ("Bearer narrow", "403", "insufficient_scope"),
    ] as [(String?, String, String?)] {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n" + (authorization.map { "Authorization: \($0)\r\n" } ?? "") + "\r\n")
      let message = client.readMessage()
      #expect(message?.head.hasPrefix("HTTP/1.1 \(status) ") == true)
      #expect(message?.head.contains("WWW-Authenticate: Bearer ") == true)
      if let error { #expect(message?.head.contains("error=\"\(error)\"") == true) }
    }
    #expect(upstream.connectionCount == 0)
    #expect(status(client, get("good")) == "200")
    #expect(status(client, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nAuthorization: Bearer good\r\n\r\n") == "400")
  }

  @Test("the caller's token never reaches the upstream, nor a second credential of the caller's, not even in a retry")
  func tokenStaysHere() throws {
    let upstream = try ScriptedUpstream { connection, number in
      while connection.readHead() != nil {
        connection.send(ok)
        if number == 0 {
          _ = connection.readHead()
          return
        }
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway([guarded], upstreams: ["up": [upstream.address]])
    gateway.verifier.add("caller-token", audience: ["https://api"])
    let client = try gateway.connect()
    for _ in 0..<3 {
      client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: mine\r\nx_api_key: mine\r\nAuthorization: Bearer caller-token\r\nProxy-Authorization: Bearer caller-token\r\n\r\n")
      #expect(client.readMessage()?.body == "ok")
    }
    #expect(gateway.counters.upstreamRetries == 1)
    let received = upstream.received.joined()
    #expect(!received.contains("caller-token") && !received.contains("mine"))
    #expect(received.components(of: "X-Api-Key: upstream-key\r\n") == 4)
  }

  @Test("misses for one token collapse into one verification, and hits ask nobody")
  func collapse() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway([guarded], upstreams: ["up": [upstream.address]])
    gateway.verifier.add("good", audience: ["https://api"])
    gateway.verifier.gate.hold()
    let clients = try (0..<20).map { _ in try gateway.connect() }
    for client in clients { client.send(get("good") + get("good")) }
    waitUntil { gateway.counters.tokenMisses == 20 }
    gateway.verifier.gate.release()
    for client in clients { for _ in 0..<2 { #expect(client.readMessage()?.body == "ok") } }
    #expect(gateway.verifier.asked == ["good"])
    #expect(gateway.counters.tokenHits >= 20)
  }

  @Test("DESIGN §4: a revoked token, family or client is refused from the next request on", arguments: 0..<3)
  func revocation(kind: Int) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway([guarded], upstreams: ["up": [upstream.address]])
    let family = Locator(high: 7, low: 7)
    gateway.verifier.add("good", audience: ["https://api"], family: family, client: "app")
    let facts = gateway.verifier.state.withLock { $0.facts["good"]! }
    let client = try gateway.connect()
    #expect(status(client, get("good")) == "200")
    gateway.verifier.state.withLock { $0.facts = [:] }
    #expect(status(client, get("good")) == "200", "remembered")
    let change: Change = [.accessTokenRevoked(facts.locator), .familyRevoked(family), .clientChanged(ClientID("app"))][kind]
    gateway.onEngine { $0.apply([change]) }
    #expect(status(client, get("good")) == "401")
  }

  @Test("DESIGN §4: a revocation that overtakes a verification wins")
  func overtaken() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway([guarded], upstreams: ["up": [upstream.address]])
    gateway.verifier.add("good", audience: ["https://api"])
    let facts = gateway.verifier.state.withLock { $0.facts["good"]! }
    gateway.verifier.gate.hold()
    let client = try gateway.connect()
    client.send(get("good"))
    waitUntil { !gateway.verifier.asked.isEmpty }
    gateway.verifier.state.withLock { $0.facts = [:] }
    gateway.onEngine { $0.apply([.accessTokenRevoked(facts.locator)]) }
    gateway.verifier.gate.release()
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 401 ") == true)
    #expect(gateway.verifier.asked.count == 2)
  }

  @Test("DESIGN §4: when the store is silent the answer is 503 with Retry-After, never a stale yes")
  func storeSilent() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let freshness = Switch()
    let gateway = try Gateway([guarded], upstreams: ["up": [upstream.address]], freshness: freshness)
    gateway.verifier.add("pat_good", audience: ["https://api"])
    gateway.verifier.add("jwt", audience: ["https://api"])
    let client = try gateway.connect()
    #expect(status(client, get("pat_good")) == "200")
    #expect(status(client, get("jwt")) == "200")
    gateway.verifier.state.withLock { $0.isUnavailable = true }
    #expect(status(client, get("pat_good")) == "200", "fresh")
    freshness.value.withLock { $0 = false }
    client.send(get("pat_good"))
    let message = client.readMessage()
    #expect(message?.head.hasPrefix("HTTP/1.1 503 ") == true && message?.head.contains("Retry-After: ") == true)
    #expect(status(client, get("jwt")) == "200", "a JWT speaks for itself")
    gateway.verifier.state.withLock { $0.isUnavailable = false }
    #expect(status(client, get("pat_good")) == "200")
  }

  @Test("a provider's credential is fetched once, sent, and replaced when it changes")
  func providerCredential() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let credentials = ScriptedCredentials()
    func live(_ value: String) -> Result<LiveCredential, BrokerFailure> {
      .success(LiveCredential(
        fieldValue: Secret(value), expiresAt: Timestamp(seconds: 4_000_000_000), renewAt: Timestamp(seconds: 3_900_000_000),
        generation: 1))
    }
    credentials.state.withLock { $0.answers = [.failure(.unavailable(retryAfter: .seconds(1))), live("Bearer one"), live("Bearer two")] }
    let route = Route.everything(credential: .clientCredentials(provider: ProviderID("p")))
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]], credentials: credentials)
    let client = try gateway.connect()
    #expect(status(client, get(nil)) == "503")
    for _ in 0..<3 { #expect(status(client, get("caller")) == "200") }
    gateway.onEngine { $0.apply([.credentialChanged(provider: "p")]) }
    #expect(status(client, get(nil)) == "200")
    #expect(credentials.state.withLock { $0.askedCount } == 3)
    let received = upstream.received.joined()
    #expect(received.components(of: "Authorization: Bearer one\r\n") == 3)
    #expect(received.components(of: "Authorization: Bearer two\r\n") == 1)
    #expect(!received.contains("caller"))
  }

  private func live(_ value: String, renewAt: Timestamp = Timestamp(seconds: 3_900_000_000)) -> LiveCredential {
    LiveCredential(
      fieldValue: Secret(value), expiresAt: Timestamp(seconds: 4_000_000_000), renewAt: renewAt, generation: 1)
  }

  @Test("a credential past its time of renewal is sent on while its successor is fetched in the background")
  func backgroundRenewal() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let credentials = ScriptedCredentials()
    credentials.state.withLock {
      $0.answers = [.success(live("Bearer one", renewAt: Timestamp(seconds: 1))), .success(live("Bearer two"))]
    }
    let route = Route.everything(credential: .clientCredentials(provider: ProviderID("p")))
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]], credentials: credentials)
    let client = try gateway.connect()
    #expect(status(client, get(nil)) == "200")
    waitUntil {
      status(client, get(nil)) == "200" && upstream.received.joined().contains("Authorization: Bearer two\r\n")
    }
    #expect(upstream.received[0].contains("Authorization: Bearer one\r\n"))
    #expect(credentials.state.withLock { $0.askedCount } == 2)
  }

  @Test("DESIGN §4: a token that is revoked while its request waits for a credential is refused")
  func revokedWhileWaiting() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let credentials = ScriptedCredentials()
    credentials.state.withLock { $0.answers = [.success(live("Bearer one"))] }
    credentials.gate.hold()
    let route = Route.everything(
      access: AccessPolicy(requiredScopes: ["read"]), credential: .clientCredentials(provider: ProviderID("p")))
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]], credentials: credentials)
    gateway.verifier.add("good")
    let facts = gateway.verifier.state.withLock { $0.facts["good"]! }
    let client = try gateway.connect()
    client.send(get("good"))
    waitUntil { credentials.state.withLock { $0.askedCount == 1 } }
    gateway.verifier.state.withLock { $0.facts = [:] }
    gateway.onEngine { $0.apply([.accessTokenRevoked(facts.locator)]) }
    credentials.gate.release()
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 401 ") == true)
    #expect(upstream.connectionCount == 0)
  }

  @Test("a trailer cannot carry a second credential past the one that a route sends", arguments: ["X-Api-Key", "x_api_key"])
  func credentialInTrailer(_ name: String) throws {
    let upstream = try ScriptedUpstream { connection, _ in
      _ = connection.readAll()
    }
    defer { upstream.stop() }
    let gateway = try Gateway([guarded], upstreams: ["up": [upstream.address]])
    gateway.verifier.add("good", audience: ["https://api"])
    let head = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nTransfer-Encoding: chunked\r\n\r\n"
    let body = "5\r\nhello\r\n0\r\nA: b\r\n\(name): mine\r\n\r\n"
    #expect(try gateway.exchange(head + body).hasPrefix("HTTP/1.1 400 "))
    let client = try gateway.connect()
    client.send(head)
    client.send(body)
    #expect(client.readAll().hasPrefix("HTTP/1.1 400 "))
    #expect(!upstream.received.joined().contains("mine"))
  }
}
