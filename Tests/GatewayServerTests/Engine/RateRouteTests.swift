import NetworkAddress
import ReverseProxy
import Testing

@testable import GatewayServer

@Suite(.serialized) struct RateRouteTests {
  private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  private static func route(_ key: RateRule.Key, access: AccessPolicy = AccessPolicy()) -> Route {
    .everything(access: access, limits: RouteLimits(rate: RateRule(key: key, count: 2, period: 3600)))
  }

  private func gateway(
    _ route: Route, trustedProxies: [AddressBlock] = [], _ body: (Gateway, ScriptedUpstream) throws -> Void
  ) throws {
    let upstream = try ScriptedUpstream(answering: Self.ok)
    defer { upstream.stop() }
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]], trustedProxies: trustedProxies)
    gateway.verifier.add("a1", client: "a", subject: "x")
    gateway.verifier.add("a2", client: "a", subject: "y")
    gateway.verifier.add("b1", client: "b", subject: "x")
    try body(gateway, upstream)
  }

  private func head(_ client: RawConnection, _ token: String?, _ fields: String...) -> String {
    let lines = fields + (token.map { ["Authorization: Bearer \($0)"] } ?? [])
    client.send("GET / HTTP/1.1\r\nHost: a\r\n" + lines.map { "\($0)\r\n" }.joined() + "\r\n")
    return client.readMessage()?.head ?? "none"
  }

  private func status(_ client: RawConnection, _ token: String?, _ fields: String) -> Int {
    Int(head(client, token, fields).dropFirst(9).prefix(3)) ?? 0
  }

  @Test("RFC 6585 §4: beyond the rate the answer is 429 with Retry-After, and the upstream is not asked")
  func refusal() throws {
    try gateway(Self.route(.client)) { gateway, upstream in
      let client = try gateway.connect()
      let first = head(client, "a1")
      #expect(first.hasPrefix("HTTP/1.1 200 "))
      #expect(first.contains("RateLimit-Policy: \"all\";q=2;w=3600\r\n") && first.contains("RateLimit: \"all\";r=1;t=1800\r\n"))
      #expect(head(client, "a1").contains("RateLimit: \"all\";r=0;t=3600\r\n"))
      let refused = head(client, "a1")
      #expect(refused.hasPrefix("HTTP/1.1 429 Too Many Requests\r\n"))
      #expect(refused.contains("Retry-After: 1800\r\n") && refused.contains("RateLimit: \"all\";r=0;t=3600\r\n"))
      #expect(upstream.received.joined().components(of: "GET / ") == 2)
    }
  }

  @Test("a rate per client counts all its tokens, one per subject all clients of it; neither counts the others")
  func keys() throws {
    for (key, same, other) in [(RateRule.Key.client, "a2", "b1"), (.subject, "b1", "a2")] {
      try gateway(Self.route(key)) { gateway, _ in
        // Another connection each time.
        func status(_ token: String) throws -> Int { self.status(try gateway.connect(), token, "X: y") }
        let statuses = try ["a1", same, "a1", same].map { try status($0) }
        #expect(statuses == [200, 200, 429, 429])
        #expect(try status(other) == 200)
      }
    }
  }

  @Test("a rate per address counts requests that fail authentication, and is asked before the token is looked up")
  func failures() throws {
    try gateway(Self.route(.address)) { gateway, _ in
      let client = try gateway.connect()
      #expect([status(client, "guess1", "X: y"), status(client, nil, "X: y"), status(client, "guess2", "X: y")] == [401, 401, 429])
      #expect(gateway.verifier.asked == ["guess1"])
      #expect(head(client, "guess3").contains("RateLimit: \"all\";r=0"))
    }
  }

  @Test("a request that is refused by policy costs its client nothing")
  func refusedByPolicy() throws {
    try gateway(Self.route(.client, access: AccessPolicy(requiredScopes: ["admin"]))) { gateway, _ in
      let client = try gateway.connect()
      for _ in 0..<4 { #expect(status(client, "a1", "X: y") == 403) }
    }
  }

  @Test("the address is the one that trusted proxies tell, by /64, and nobody else's word")
  func believedAddress() throws {
    let route = Self.route(.address, access: .anonymous)
    let loopback = try #require(AddressBlock("127.0.0.0/8"))
    try gateway(route, trustedProxies: [loopback]) { gateway, _ in
      let client = try gateway.connect()
      func from(_ address: String) -> Int { status(client, nil, "X-Forwarded-For: \(address)") }
      #expect([from("2001:db8::1"), from("2001:db8::2"), from("2001:db8::3")] == [200, 200, 429])
      #expect([from("2001:db8:0:1::1"), from("198.51.100.7"), from("1.1.1.1, 198.51.100.7")] == [200, 200, 200])
      #expect(from("9.9.9.9, 198.51.100.7") == 429)
    }
    try gateway(route) { gateway, _ in
      let client = try gateway.connect()
      func from(_ address: String) -> Int { status(client, nil, "X-Forwarded-For: \(address)") }
      #expect([from("198.51.100.1"), from("198.51.100.2"), from("198.51.100.3")] == [200, 200, 429])
    }
  }

  @Test("a request that had to wait for its verification is counted once")
  func parkedOnce() throws {
    try gateway(Self.route(.address)) { gateway, _ in
      let client = try gateway.connect()
      // Each token is unknown at first: the request is parked and decided again.
      #expect([status(client, "a1", "X: y"), status(client, "b1", "X: y"), status(client, "a1", "X: y")] == [200, 200, 429])
    }
  }

  @Test("another snapshot forgives nobody, unless it has another rate")
  func reload() throws {
    try gateway(Self.route(.client)) { gateway, upstream in
      let client = try gateway.connect()
      let tables = RateTables()
      func serve(_ route: Route) throws {
        var snapshot = try Gateway.snapshot([route], ["up": [upstream.address]])
        snapshot.rates = tables
        let served = snapshot
        gateway.onEngine { $0.apply(served) }
      }
      try serve(Self.route(.client))
      #expect([status(client, "a1", "X: y"), status(client, "a1", "X: y")] == [200, 200])
      try serve(Self.route(.client))
      #expect(status(client, "a1", "X: y") == 429)
      try serve(Self.route(.subject))
      #expect(status(client, "a1", "X: y") == 200)
    }
  }
}
