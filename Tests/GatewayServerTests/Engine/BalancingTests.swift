import EventLoop
import HTTPWire
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/// Several servers behind one route.
@Suite(.serialized) struct BalancingTests {
  /// Sends requests one after the other on one connection.
  ///
  /// - Returns: status and body of each answer.
  private static func send(_ count: Int, _ request: String = get, to gateway: Gateway) throws -> [String] {
    let client = try gateway.connect()
    return (0..<count).map { _ in
      client.send(request)
      return client.readMessage().map { "\($0.head.dropFirst(9).prefix(3)) \($0.body.prefix(1))" } ?? "none"
    }
  }

  @Test("requests that come one by one are spread evenly", arguments: Balance.allCases)
  func even(balance: Balance) throws {
    let fleet = try Fleet(3)
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { $0.balance = balance }
    #expect(Set(try Self.send(30, to: gateway)) == ["200 0", "200 1", "200 2"])
    #expect(fleet.requests == [10, 10, 10])
  }

  @Test("the upstream is told its own name, also when a request comes to it after another server failed")
  func hostField() throws {
    let fleet = try Fleet(1)
    defer { fleet.stop() }
    let dead = try refusingAddress()
    let gateway = try Gateway.balancing([dead] + fleet.addresses) { $0.ejection.share = 0 }
    #expect(try Self.send(6, "GET /x?y HTTP/1.1\r\nHost: gw\r\nAccept: text/*\r\n\r\n", to: gateway) == [String](repeating: "200 0", count: 6))
    let heads = fleet.received.split(separator: "\r\n\r\n")
    #expect(heads.count == 6)
    for head in heads {
      let lines = head.split(separator: "\r\n").map(String.init)
      #expect(lines.prefix(3) == ["GET /x?y HTTP/1.1", "Accept: text/*", "Host: \(fleet.addresses[0])"])
      #expect(lines.dropFirst(3).map { $0.prefix { $0 != ":" } } == ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id"])
    }
    #expect(gateway.counters.upstreamRetries >= 3)
  }

  @Test("one dead server of three costs no client an error, whatever the method, since nothing was sent to it", arguments: [
    get, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
  ])
  func oneDead(request: String) throws {
    let fleet = try Fleet(2)
    defer { fleet.stop() }
    let gateway = try Gateway.balancing([try refusingAddress()] + fleet.addresses)
    #expect(Set(try Self.send(60, request, to: gateway)) == ["200 0", "200 1"])
    #expect(fleet.requests.reduce(0, +) == 60)
    // Five failures eject it; then nobody tries it any more.
    #expect(gateway.counters.upstreamRetries == 5)
  }

  @Test("a body that comes while a dead server is tried goes on to the next one whole")
  func bodyWhileConnecting() throws {
    let fleet = try Fleet(1)
    defer { fleet.stop() }
    let gateway = try Gateway.balancing([try refusingAddress()] + fleet.addresses) { $0.ejection.share = 0 }
    for _ in 0..<4 {
      let client = try gateway.connect()
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
      client.send("first")
      client.send("-last")
      #expect(client.readMessage()?.body == "0")
    }
    #expect(fleet.received.components(of: "\r\n\r\nfirst-last") == 4)
  }

  @Test("RFC 9110 §9.2.2: an idempotent request that lost its connection goes to another server, a POST is never sent twice")
  func reset() throws {
    let fleet = try Fleet(2) { $0 == 0 ? .none : .response(Fleet.ok("1")) }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { $0.ejection.share = 0; $0.balance = .roundRobin }
    #expect(try Self.send(10, to: gateway) == [String](repeating: "200 1", count: 10))
    let read = fleet.requests
    #expect(read[1] == 10 && read[0] > 0)

    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    let answers = try Self.send(10, post, to: gateway)
    #expect(answers.filter { $0 == "200 1" }.count == 5)
    #expect(answers.filter { $0 == "502 {" }.count == 5)
    #expect(fleet.requests.reduce(0, +) == read.reduce(0, +) + 10, "each of the ten was sent once")
  }

  @Test("502, 503 and 504 go to another server where the upstream says so, unless they name a time", arguments: [false, true])
  func badAnswers(namesTime: Bool) throws {
    let fleet = try Fleet(2) {
      $0 == 1 ? .response(Fleet.ok("1"))
        : .response("HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\(namesTime ? "Retry-After: 1\r\n" : "")\r\n0")
    }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { upstream in
      upstream.ejection.share = 0
      upstream.balance = .roundRobin
      upstream.retries.causes = [.serviceUnavailable]
    }
    let answers = try Self.send(10, to: gateway)
    #expect(answers.filter { $0 == "200 1" }.count == (namesTime ? 5 : 10))
    #expect(answers.filter { $0 == "503 0" }.count == (namesTime ? 5 : 0))
  }

  @Test("RFC 9209 §2.3: who does not answer in time is not asked again, nor is another: the request may be at work")
  func timeOut() throws {
    let release = Semaphore()
    let fleet = try Fleet(2) { _ in
      release.wait()
      return .none
    }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { $0.timeouts.responseHead = .milliseconds(1) }
    let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 504 ") && answer.contains("Proxy-Status: postern; error=http_response_timeout\r\n"))
    #expect(fleet.requests.reduce(0, +) == 1)
    for _ in 0..<2 { release.signal() }
  }

  @Test("in a total outage the servers get the requests and the budget's share of them, no more")
  func outage() throws {
    let fleet = try Fleet(2) { _ in .none }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { $0.ejection.share = 0; $0.retries.budget = 10 }
    #expect(Set(try Self.send(300, to: gateway)) == ["502 {"])
    let retries = Int(gateway.counters.upstreamRetries)
    #expect(fleet.requests.reduce(0, +) == 300 + retries)
    // A tenth, what was saved at the start, and a try a second.
    #expect(retries >= 30 && retries <= 30 + 10 + 10)
  }

  @Test("a server that is slow to answer gets fewer requests")
  func slow() throws {
    let release = Semaphore()
    let fleet = try Fleet(2) { number in
      if number == 0 { release.wait() }
      return .response(Fleet.ok("\(number)"))
    }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses)
    // One request hangs at the slow server for as long as the test lasts.
    let hanging = try (0..<2).map { _ in
      let client = try gateway.connect()
      client.send(get)
      return client
    }
    waitUntil { fleet.requests[0] == 1 }
    #expect(Set(try Self.send(50, to: gateway)) == ["200 1"])
    #expect(fleet.requests[0] == 1)
    release.signal()
    #expect(Set(hanging.compactMap { $0.readMessage()?.body }) == ["0", "1"])
  }

  @Test("a server that fails is left out, tried after its time, and serves again when it answers")
  func comesBack() throws {
    let isWell = Atomic(false)
    let fleet = try Fleet(2) { number in
      number == 1 || isWell.load(ordering: .relaxed) ? .response(Fleet.ok("\(number)")) : .none
    }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { upstream in
      upstream.ejection.after = 2
      upstream.ejection.period = .milliseconds(100)
    }
    #expect(Set(try Self.send(20, to: gateway)) == ["200 1"])
    #expect(gateway.server(fleet.addresses[0]) { $0.ejectionCount } ?? 0 >= 1)
    isWell.store(true, ordering: .relaxed)
    var bodies: Set<String> = []
    waitUntil {
      bodies.formUnion((try? Self.send(2, to: gateway)) ?? [])
      return bodies.contains("200 0")
    }
    #expect(gateway.server(fleet.addresses[0]) { $0.circuit.isFlawless } == true)
    #expect(Set(try Self.send(10, to: gateway)) == ["200 0", "200 1"])
  }

  @Test("a server that ends the connection while a body is on its way is not left out for it")
  func unwantedBody() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      if connection.readHead() != nil { connection.reset() }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.balancing([upstream.address]) { $0.ejection.after = 1; $0.ejection.share = 100 }
    for _ in 0..<3 {
      let client = try gateway.connect()
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nfirst")
      #expect(client.readMessage()?.head.contains("error=connection_terminated") == true)
    }
    #expect(upstream.connectionCount == 3)
    #expect(gateway.server(upstream.address) { $0.failureCount } == 0)
  }

  @Test("RFC 9209 §2.3.4: where all may be left out, requests are answered 503 at once, with the time until a trial")
  func allEjected() throws {
    let fleet = try Fleet(2) { _ in .none }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { upstream in
      upstream.ejection.after = 1
      upstream.ejection.share = 100
    }
    #expect(try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").hasPrefix("HTTP/1.1 502 "))
    let read = fleet.requests
    #expect(read == [1, 1])
    let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 503 "))
    #expect(answer.contains("Proxy-Status: postern; error=destination_unavailable\r\n"))
    #expect(answer.contains("Retry-After: 30\r\n") && answer.contains("X-Request-Id: "))
    #expect(!answer.contains("127.0.0.1"))
    #expect(fleet.requests == read)
  }

  @Test("by default the last server is never left out, however often it fails")
  func lastServer() throws {
    let fleet = try Fleet(1) { _ in .none }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { $0.retries.attempts = 0 }
    #expect(try Self.send(20, to: gateway) == [String](repeating: "502 {", count: 20))
    #expect(fleet.requests == [20])
  }

  @Test("another configuration keeps what was found out about the servers that stay")
  func keepsState() throws {
    let fleet = try Fleet(2) { $0 == 0 ? .none : .response(Fleet.ok("1")) }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { $0.ejection.after = 1 }
    #expect(Set(try Self.send(4, to: gateway)) == ["200 1"])
    #expect(fleet.requests[0] == 1)
    try gateway.serve(fleet.addresses.reversed()) { upstream in
      upstream.ejection.after = 1
      upstream.timeouts.idle = .seconds(9)
    }
    #expect(Set(try Self.send(10, to: gateway)) == ["200 1"])
    #expect(fleet.requests[0] == 1)
    #expect(gateway.server(fleet.addresses[0]) { $0.circuit.isEjected && $0.failureCount == 1 } == true)
  }

  @Test("requests that come while servers come and go, well and unwell, are all answered once")
  func swaps() throws {
    let fleet = try Fleet(3)
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses)
    let snapshots = try [[0, 1], [1, 2], [2, 0], [0, 1, 2]].map { numbers in
      try Gateway.balanced(numbers.map { fleet.addresses[$0] }) { upstream in
        upstream.timeouts.idle = .seconds(numbers.count)
        upstream.health = HealthCheck(path: "/")
      }
    }
    let done = Semaphore()
    let answers = Mutex<[String]>([])
    for _ in 0..<4 {
      onThread {
        let found = (try? Self.send(100, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", to: gateway)) ?? []
        answers.withLock { $0 += found }
        done.signal()
      }
    }
    for number in 0..<200 {
      gateway.onEngine { engine in
        engine.apply(snapshots[number % snapshots.count])
        for server in engine.upstreamServers {
          engine.setHealth(of: server.key, server.key.address != fleet.addresses[number % 3])
        }
      }
    }
    for _ in 0..<4 { done.wait() }
    #expect(answers.withLock { $0.count } == 400)
    #expect(answers.withLock { $0.allSatisfy { $0.hasPrefix("200 ") } })
    #expect(fleet.requests.reduce(0, +) == 400)
  }

  @Test("two upstreams with the same server and different waits keep their connections, snapshot after snapshot")
  func sameServerTwice() throws {
    let fleet = try Fleet(1)
    defer { fleet.stop() }
    let origin = try Origin("http://\(fleet.addresses[0])")
    var patient = Upstream(name: "patient", servers: [origin])
    patient.timeouts.connect = .seconds(9)
    let routes = try RouteTable(["up", "patient"].map { name in
      Route(name: name, pattern: try PathPattern("/\(name)"), access: .anonymous, upstream: name)
    })
    let snapshot = GatewaySnapshot(
      routes: routes, upstreams: [Upstream(name: "up", servers: [origin]), patient], addresses: [origin: fleet.addresses])
    let gateway = try Gateway([], upstreams: [:])
    for _ in 0..<5 {
      gateway.onEngine { $0.apply(snapshot) }
      for name in ["up", "patient"] { #expect(try Self.send(1, "GET /\(name) HTTP/1.1\r\nHost: a\r\n\r\n", to: gateway) == ["200 0"]) }
    }
    #expect(gateway.counters.upstreamConnections == 2)
  }

  @Test("a server whose address is gone serves no more, and a name with several addresses counts as as many servers")
  func addresses() throws {
    let fleet = try Fleet(2)
    defer { fleet.stop() }
    let origin = try Origin("http://service.example")
    let upstream = Upstream(name: "up", servers: [origin])
    func snapshot(_ addresses: [SocketAddress]) throws -> GatewaySnapshot {
      GatewaySnapshot(routes: try RouteTable([.everything()]), upstreams: [upstream], addresses: [origin: addresses])
    }
    let gateway = try Gateway([], upstreams: [:])
    let (both, second, none) = try (snapshot(fleet.addresses), snapshot([fleet.addresses[1]]), snapshot([]))
    gateway.onEngine { $0.apply(both) }
    #expect(Set(try Self.send(10, to: gateway)) == ["200 0", "200 1"])
    #expect(fleet.received.components(of: "Host: service.example\r\n") == 10)
    gateway.onEngine { $0.apply(second) }
    #expect(try Self.send(4, to: gateway) == [String](repeating: "200 1", count: 4))
    gateway.onEngine { $0.apply(none) }
    let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(answer.contains("HTTP/1.1 502 ") && answer.contains("error=dns_error"))
  }
}
