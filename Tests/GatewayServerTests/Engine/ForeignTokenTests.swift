import Broker
import Cryptography
import EventLoop
import JSON
import OAuthCore
import ReverseProxy
import Synchronization
import TestCertificates
import Testing

@testable import GatewayServer

@Suite("Tokens of others, at the engine", .serialized)
struct ForeignTokenTests {
  private let strangers = Strangers()
  private let upstream = try! ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  private static let jwks = "\(Strangers.idp)/jwks"
  private static let x = "https://x.example/introspect"
  private static let y = "https://y.example/introspect"

  private func request(_ path: String, _ token: String) -> String {
    "GET \(path)/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n"
  }

  private func status(_ client: RawConnection, _ path: String, _ token: String) -> String {
    client.send(request(path, token))
    return client.readMessage().map { String($0.head.dropFirst(9).prefix(3)) } ?? "none"
  }

  /// A gateway that lets in whom the issuer vouches for with `key`, and a client that was let in.
  private func accepted(_ key: SigningKey) throws -> (Gateway, RawConnection) {
    strangers.publish([key])
    let gateway = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream)
    let client = try gateway.connect()
    #expect(status(client, "/crm", Strangers.token(key)) == "200")
    return (gateway, client)
  }

  private func activeIf(_ token: String) -> @Sendable (ProviderRequest) -> ProviderResponse? {
    { request in
      let isActive = request.form?.exposedText.hasPrefix("token=\(token)&") == true
      return ProviderResponse(status: 200, body: Secret(isActive ? #"{"active":true,"sub":"a","scope":"read"}"# : #"{"active":false}"#))
    }
  }

  // MARK: JWTs

  @Test("A token that one route takes of an issuer gets in nowhere else, remembered or not")
  func acceptanceIsTheRoutes() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    strangers.publish([key])
    let gateway = try strangers.gateway(
      [
        .accepting([.own], at: "/own"), .accepting([.own, .idp()], at: "/crm"), .accepting([.idp(audience: "other")], at: "/other"),
        .accepting([.endpoint(Self.x)], at: "/x"),
      ], upstream: upstream)
    let client = try gateway.connect()
    let token = Strangers.token(key)
    for path in ["/own", "/other", "/x"] { #expect(status(client, path, token) == "401", "\(path) before it is known") }
    #expect(status(client, "/crm", token) == "200")
    for path in ["/own", "/other", "/x"] { #expect(status(client, path, token) == "401", "\(path) after it is known") }
    #expect(status(client, "/crm", token) == "200")
    #expect(strangers.count(Self.x) == 0, "an issuer's JWT is shown to nobody")
    #expect(strangers.count(Self.jwks) == 1)
    #expect(!upstream.received.joined().contains(token))
  }

  @Test("A token of Postern's own gets in only where self is accepted")
  func ownIsOneOfMany() throws {
    defer { upstream.stop() }
    let gateway = try strangers.gateway(
      [.accepting([.own], at: "/own"), .accepting([.idp(), .endpoint(Self.x)], at: "/foreign")], upstream: upstream)
    gateway.verifier.add("pat_good")
    let client = try gateway.connect()
    #expect(status(client, "/foreign", "pat_good") == "401")
    #expect(status(client, "/own", "pat_good") == "200")
    #expect(status(client, "/foreign", "pat_good") == "401")
    #expect(strangers.requests.isEmpty)
  }

  @Test("RFC 9068 §4: another audience, a missing one, or too little scope", arguments: [
    (["aud": "x"], "401"), (["aud": .null], "401"), (["aud": []], "401"), (["aud": ["x", "gw"]], "200"), (["scope": "write"], "403"),
    (["exp": 1_700_000_000], "401"), (["cnf": ["jkt": "x"]], "401"),
  ] as [(JSONObject, String)])
  func claims(changes: JSONObject, expected: String) throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    strangers.publish([key])
    let client = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream).connect()
    for _ in 0..<2 { #expect(status(client, "/crm", Strangers.token(key, changes)) == expected) }
  }

  @Test("RFC 8705 §3: an issuer's token that is bound to a certificate gets in with that certificate only")
  func bound() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    strangers.publish([key])
    let gateway = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream)
    let certificates = TestCertificates.shared
    let address = try gateway.listenSecurely(TLSServerSettings(
      certificate: certificates.server.certificate, key: certificates.server.key,
      clientAuthorities: certificates.authority.certificate, clientAuthentication: .optional))
    let thumbprint = Base64URL.encode(TestCertificates.fingerprint(of: certificates.client.certificate))
    let token = Strangers.token(key, ["cnf": ["x5t#S256": .string(thumbprint)]])
    let plain = try gateway.connect()
    let owner = try SecureConnection(to: address, identity: certificates.client)
    let other = try SecureConnection(to: address, identity: certificates.server)
    for _ in 0..<2 {
      owner.send(request("/crm", token))
      #expect(owner.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
      other.send(request("/crm", token))
      #expect(other.readMessage()?.head.hasPrefix("HTTP/1.1 401 ") == true)
      #expect(status(plain, "/crm", token) == "401")
    }
  }

  @Test("However many requests wait, an issuer's keys are fetched once")
  func collapsed() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.edDSA)
    strangers.publish([key])
    strangers.gate.hold()
    let gateway = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream)
    let clients = try (0..<20).map { number in
      let client = try gateway.connect()
      client.send(request("/crm", Strangers.token(key, ["jti": .integer(Int64(number))])))
      return client
    }
    waitUntil { gateway.counters.tokenMisses == 20 }
    strangers.gate.release()
    for client in clients { #expect(client.readMessage()?.body == "ok") }
    #expect(strangers.count(Self.jwks) == 1)
    #expect(strangers.requests.count == 2)
  }

  @Test("A flood of tokens with unknown keys costs one fetch, and good tokens go on")
  func unknownKeys() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    let (_, client) = try accepted(key)
    strangers.clock.advance(by: .seconds(31))
    let thief = SigningKey.generate(.es256)
    for number in Int64(0)..<300 {
      #expect(status(client, "/crm", Strangers.token(thief, ["jti": .integer(number)])) == "401")
    }
    #expect(status(client, "/crm", Strangers.token(key, ["jti": "2"])) == "200")
    #expect(strangers.count(Self.jwks) == 2)
  }

  @Test("A key that comes is found by the first token that it signed; what a key that is gone vouched for ends with it")
  func rotation() throws {
    defer { upstream.stop() }
    let (old, new) = (SigningKey.generate(.es256), SigningKey.generate(.es256))
    strangers.publish([old])
    let client = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream).connect()
    #expect(status(client, "/crm", Strangers.token(old)) == "200")
    strangers.publish([new])
    #expect(status(client, "/crm", Strangers.token(new)) == "401", "the keys were fetched a moment ago")
    strangers.clock.advance(by: .seconds(31))
    #expect(status(client, "/crm", Strangers.token(old)) == "200", "remembered")
    #expect(status(client, "/crm", Strangers.token(new, ["jti": "2"])) == "200")
    #expect(status(client, "/crm", Strangers.token(old)) == "401")
  }

  @Test("Without keys nobody is let in: 503, not 401, and no token is refused for it")
  func noKeys() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    let client = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream).connect()
    let token = Strangers.token(key)
    for _ in 0..<3 { #expect(status(client, "/crm", token) == "503") }
    #expect(strangers.requests.count == 1, "the next fetch waits for its time")
    strangers.publish([key])
    strangers.clock.advance(by: .seconds(1))
    #expect(status(client, "/crm", token) == "200")
  }

  @Test("RFC 8414 §3.3: an issuer whose metadata names another is not believed, and its keys are not fetched")
  func mixUp() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    strangers.publish([key], named: "https://thief.example")
    let client = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream).connect()
    #expect(status(client, "/crm", Strangers.token(key)) == "503")
    #expect(strangers.count(Self.jwks) == 0)
    #expect(strangers.requests.count == 1, "the document decides; no other place is asked")
  }

  @Test("OpenID Connect Discovery §4.1: where RFC 8414's place has nothing, the other is asked")
  func openIDDiscovery() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    strangers.publish([key])
    strangers.at("\(Strangers.idp)/.well-known/oauth-authorization-server") { _ in ProviderResponse(status: 404, body: Secret("")) }
    strangers.at("\(Strangers.idp)/.well-known/openid-configuration") { _ in
      ProviderResponse(status: 200, body: Secret(#"{"issuer":"https://idp.example","jwks_uri":"https://idp.example/jwks"}"#))
    }
    let client = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream).connect()
    #expect(status(client, "/crm", Strangers.token(key)) == "200")
  }

  @Test("What an issuer publishes is bounded: a set without end is none, and what was known before serves on")
  func bounds() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.edDSA)
    let many = (0..<JWKSet.keyCountMax).map { _ in SigningKey.generate(.edDSA) }
    strangers.publish([key] + many)
    let client = try strangers.gateway([.accepting([.idp()], at: "/crm")], upstream: upstream).connect()
    #expect(status(client, "/crm", Strangers.token(key)) == "503")
    let limits = strangers.requests.map(\.bodyByteCountMax)
    #expect(limits == [256 << 10, 1 << 20])

    strangers.publish([key])
    strangers.clock.advance(by: .seconds(1))
    #expect(status(client, "/crm", Strangers.token(key)) == "200")
    strangers.publish(many + many)
    strangers.clock.advance(by: .seconds(31))
    #expect(status(client, "/crm", Strangers.token(many[0])) == "503", "who knows whether it is a key of theirs")
    #expect(status(client, "/crm", Strangers.token(key, ["jti": "2"])) == "200")
  }

  @Test("A stream on a foreign token ends with the key that vouched for it, and goes on when Postern's own changes are missed")
  func streams() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      guard let head = connection.readHead() else { return }
      if head.contains("Upgrade") {
        connection.send(Array(WebSocketPeer.switching.utf8) + WebSocketPeer.text("hello"))
        while connection.receive() != nil {}
      } else {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      }
    }
    defer { upstream.stop() }
    let (old, new) = (SigningKey.generate(.es256), SigningKey.generate(.es256))
    strangers.publish([old])
    var route = Route.accepting([.idp()], at: "/crm")
    route.streams = .webSocket
    let gateway = try strangers.gateway([route], upstream: upstream)
    let client = try gateway.connect()
    client.send(WebSocketPeer.request("Authorization: Bearer \(Strangers.token(old))\r\n", path: "/crm/1"))
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 101 ") == true)
    #expect(client.read(7) != nil)
    gateway.onEngine { $0.forgetEverything() }
    #expect(gateway.verifier.state.withLock { $0.confirmed } == 0)

    strangers.publish([new])
    strangers.clock.advance(by: .seconds(31))
    #expect(status(try gateway.connect(), "/crm", Strangers.token(new)) == "200")
    #expect(client.readClose() == 1008)
    #expect(gateway.counters.revokedStreams == 1)
  }

  @Test("One issuer's key does not sign for another")
  func otherIssuersKeys() throws {
    defer { upstream.stop() }
    let (one, two) = (SigningKey.generate(.es256, id: "k"), SigningKey.generate(.es256, id: "k"))
    strangers.publish([one])
    strangers.publish([two], issuer: "https://two.example")
    let client = try strangers.gateway(
      [.accepting([.idp(), .idp("https://two.example")], at: "/crm")], upstream: upstream
    ).connect()
    #expect(status(client, "/crm", Strangers.token(one)) == "200")
    #expect(status(client, "/crm", Strangers.token(two, issuer: "https://two.example")) == "200")
    #expect(status(client, "/crm", Strangers.token(one, issuer: "https://two.example")) == "401")
    #expect(status(client, "/crm", Strangers.token(two)) == "401")
  }

  @Test("A route that no longer takes an issuer lets none of his tokens in, remembered or not")
  func reload() throws {
    defer { upstream.stop() }
    let key = SigningKey.generate(.es256)
    let (gateway, client) = try accepted(key)
    let without = try Gateway.snapshot([.accepting([.own], at: "/crm")], ["up": [upstream.address]])
    gateway.onEngine { $0.apply(without) }
    #expect(status(client, "/crm", Strangers.token(key)) == "401")
    var narrower = ForeignIssuer(identifier: Strangers.idp)
    narrower.algorithms = [.rs256]
    let narrow = try Gateway.snapshot([.accepting([.issuer(narrower, audience: "gw")], at: "/crm")], ["up": [upstream.address]])
    gateway.onEngine { $0.apply(narrow) }
    #expect(status(client, "/crm", Strangers.token(key)) == "401")
  }

  // MARK: Opaque tokens

  @Test("RFC 7662: an endpoint is asked once about a token, however many requests carry it; its word is remembered")
  func introspection() throws {
    defer { upstream.stop() }
    strangers.at(Self.x, activeIf("good"))
    strangers.gate.hold()
    let gateway = try strangers.gateway([.accepting([.own, .endpoint(Self.x)], at: "/x")], upstream: upstream)
    let clients = try (0..<20).map { _ in try gateway.connect() }
    for client in clients { client.send(request("/x", "good") + request("/x", "good")) }
    waitUntil { gateway.counters.tokenMisses == 20 }
    strangers.gate.release()
    for client in clients { for _ in 0..<2 { #expect(client.readMessage()?.body == "ok") } }
    #expect(strangers.count(Self.x) == 1)
    let question = try #require(strangers.requests.first)
    #expect(question.form?.exposedText == "token=good&token_type_hint=access_token")
    #expect(question.authorization != nil)
    #expect(!upstream.received.joined().contains("good"))
    for _ in 0..<5 { #expect(status(clients[0], "/x", "bad") == "401") }
    #expect(strangers.count(Self.x) == 2)
  }

  @Test("A token is shown to the one endpoint of its route; what another said of it does not count there")
  func oneParty() throws {
    defer { upstream.stop() }
    strangers.at(Self.x, activeIf("good"))
    strangers.at(Self.y, activeIf("other"))
    let client = try strangers.gateway(
      [.accepting([.endpoint(Self.x)], at: "/x"), .accepting([.endpoint(Self.y)], at: "/y"), .accepting([.own], at: "/own")],
      upstream: upstream
    ).connect()
    #expect(status(client, "/own", "good") == "401")
    #expect(strangers.requests.isEmpty)
    #expect(status(client, "/x", "good") == "200")
    #expect(strangers.count(Self.y) == 0)
    #expect(status(client, "/y", "good") == "401")
    #expect(status(client, "/x", "good") == "200", "the other's no is not this one's")
    #expect(status(client, "/y", "other") == "200")
    #expect(status(client, "/x", "other") == "401")
    #expect(status(client, "/y", "other") == "200")
    #expect(strangers.count(Self.x) == 2 && strangers.count(Self.y) == 2)
  }

  @Test("Postern's own tokens, forged or not, are shown to nobody", arguments: ["pat_forged", "prt_x", "psk_x"])
  func neverShown(token: String) throws {
    defer { upstream.stop() }
    strangers.at(Self.x, activeIf(token))
    let client = try strangers.gateway([.accepting([.own, .endpoint(Self.x)], at: "/x")], upstream: upstream).connect()
    #expect(status(client, "/x", token) == "401")
    let jwt = Strangers.token(SigningKey.generate(.es256), issuer: "https://auth.example.com")
    #expect(status(client, "/x", jwt) == "401")
    #expect(strangers.requests.isEmpty)
  }

  @Test("An endpoint that fails is no reason to refuse a token, nor to let it in: 503")
  func silentEndpoint() throws {
    defer { upstream.stop() }
    let client = try strangers.gateway([.accepting([.endpoint(Self.x)], at: "/x")], upstream: upstream).connect()
    #expect(status(client, "/x", "good") == "503")
    strangers.at(Self.x) { _ in ProviderResponse(status: 500, body: Secret(#"{"active":true,"sub":"a"}"#)) }
    #expect(status(client, "/x", "good") == "503")
    strangers.at(Self.x, activeIf("good"))
    #expect(status(client, "/x", "good") == "200")
  }

  @Test("Strangers who take their time hold back their own callers, not those of Postern")
  func slowEndpoint() throws {
    defer { upstream.stop() }
    strangers.gate.hold()
    var limits = EngineLimits()
    limits.pendingVerifications = 4
    let gateway = try strangers.gateway(
      [.accepting([.own], at: "/own"), .accepting([.endpoint(Self.x)], at: "/x")], upstream: upstream, limits: limits)
    gateway.verifier.add("pat_good")
    let waiting = try (0..<2).map { number in
      let client = try gateway.connect()
      client.send(request("/x", "t\(number)"))
      return client
    }
    waitUntil { gateway.counters.tokenMisses == 2 }
    let client = try gateway.connect()
    #expect(status(client, "/x", "t2") == "503")
    #expect(status(client, "/own", "pat_good") == "200")
    strangers.gate.release()
    for client in waiting { #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 503 ") == true) }
  }
}
