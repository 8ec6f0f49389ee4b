import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy
import Synchronization
import TestCertificates
import Testing

@testable import GatewayServer

private let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/// Servers that are asked how they are.
@Suite(.serialized) struct HealthTests {
  /// Often asked, never in a hurry to be answered: a loaded machine is slow.
  private static func often(_ path: String = "/healthz") -> HealthCheck {
    var check = HealthCheck(path: path)
    check.interval = .milliseconds(20)
    check.timeout = .seconds(10)
    check.healthyAfter = 2
    check.unhealthyAfter = 2
    return check
  }

  /// What the monitor of one server came to, in its order.
  private final class Verdicts: Sendable {
    private final class Found: Sendable { let list = Mutex<[Bool]>([]) }

    private let group: EventLoopGroup
    private let monitor: HealthMonitor
    private let found = Found()

    init(_ snapshot: GatewaySnapshot) throws {
      group = try EventLoopGroup(count: 1)
      group.start()
      monitor = onLoop(group.loops[0]) { [loop = group.loops[0], found] in
        let monitor = HealthMonitor(on: loop, limits: WireLimits(), lot: { 0 }) { _, isHealthy in
          found.list.withLock { $0.append(isHealthy) }
        }
        monitor.apply(snapshot)
        return monitor
      }
    }

    deinit { group.stop() }

    var list: [Bool] { found.list.withLock { $0 } }
  }

  @Test("the question names the server and the asker, carries no credential, and any status of the list is well", arguments: [
    ("HTTP/1.1 204 No Content\r\n\r\n", true), ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true),
    ("HTTP/1.1 503 Busy\r\n\r\n", false), ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", false), ("what?\r\n\r\n", false), ("", false),
  ])
  func question(answer: String, isGood: Bool) throws {
    // A good answer shows only where a bad one went before.
    let isIll = Atomic(isGood)
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(isIll.load(ordering: .relaxed) ? "HTTP/1.1 500 x\r\n\r\n" : answer)
    }
    defer { upstream.stop() }
    let verdicts = try Verdicts(try Gateway.balanced([upstream.address]) { $0.health = Self.often("/healthz?deep=1") })
    waitUntil { verdicts.list == [false] }
    isIll.store(false, ordering: .relaxed)
    if isGood { waitUntil { verdicts.list == [false, true] } }
    #expect(upstream.received.first == "GET /healthz?deep=1 HTTP/1.1\r\nHost: \(upstream.address)\r\n"
      + "User-Agent: postern-health\r\nAccept: */*\r\nConnection: close\r\n\r\n")
  }

  @Test("a server that does not listen, or does not answer in time, is not well")
  func noAnswer() throws {
    let silent = try ScriptedUpstream { connection, _ in _ = connection.readAll() }
    defer { silent.stop() }
    for address in [try refusingAddress(), silent.address] {
      let verdicts = try Verdicts(try Gateway.balanced([address]) { upstream in
        upstream.health = Self.often()
        upstream.health?.timeout = .milliseconds(10)
      })
      waitUntil { verdicts.list == [false] }
    }
  }

  @Test("over TLS a server is asked only when it can prove who it is", arguments: [true, false])
  func verified(isKnown: Bool) throws {
    let certificates = TestCertificates.shared
    let asked = Mutex(0)
    let upstream = try ScriptedUpstream(certificate: isKnown ? certificates.server : certificates.stranger) { connection, _ in
      guard connection.readMessage() != nil else { return }
      asked.withLock { $0 += 1 }
      connection.send("HTTP/1.1 \(isKnown ? 500 : 200) x\r\nContent-Length: 0\r\n\r\n")
    }
    defer { upstream.stop() }
    let origin = try Origin("https://localhost:\(upstream.address.port)")
    var value = Upstream(name: "up", servers: [origin])
    value.health = Self.often()
    let verdicts = try Verdicts(GatewaySnapshot(
      routes: try RouteTable([]), upstreams: [value], addresses: [origin: [upstream.address]],
      tls: ["up": try TLSClientContext(authorities: certificates.authority.certificate)]))
    waitUntil { verdicts.list == [false] }
    #expect((asked.withLock { $0 } > 0) == isKnown)
  }

  @Test("an upstream of HTTP/2 is asked in HTTP/2, in clear text and over TLS, and an interim answer is none", arguments: [
    (Upstream.ApplicationProtocol.http2, false), (.http2, true), (.negotiated, true),
  ])
  func http2(protocol: Upstream.ApplicationProtocol, isSecure: Bool) throws {
    let isIll = Atomic(true)
    let asked = Mutex<[String]>([])
    let answer: @Sendable (HTTP2Connection) -> Void = { connection in
      connection.write(.settings())
      guard let (stream, request) = connection.nextRequest() else { return }
      asked.withLock { $0.append((request.pseudo + request.fields).joined(separator: "; ")) }
      connection.write(.headers(stream, [(":status", "103")], endsStream: false))
      connection.respond(stream, isIll.load(ordering: .relaxed) ? "500" : "200")
      connection.readAll()
    }
    let upstream = isSecure
      ? try ScriptedUpstream(certificate: TestCertificates.shared.server) { secure, _ in
        guard secure.read(24) == HTTP2Frame.preface else { return }
        answer(HTTP2Connection(secure, opensWith: nil))
      }
      : try ScriptedUpstream { raw, _ in
        guard raw.read(24) == HTTP2Frame.preface else { return }
        answer(HTTP2Connection(raw, opensWith: nil))
      }
    defer { upstream.stop() }
    let origin = try Origin(isSecure ? "https://localhost:\(upstream.address.port)" : "http://\(upstream.address)")
    var value = Upstream(name: "up", servers: [origin])
    value.health = Self.often("/healthz?deep=1")
    value.applicationProtocol = `protocol`
    let verdicts = try Verdicts(GatewaySnapshot(
      routes: try RouteTable([]), upstreams: [value], addresses: [origin: [upstream.address]],
      tls: ["up": try TLSClientContext(authorities: TestCertificates.shared.authority.certificate)]))
    waitUntil { verdicts.list == [false] }
    isIll.store(false, ordering: .relaxed)
    waitUntil { verdicts.list == [false, true] }
    #expect(asked.withLock { $0.first } == ":method: GET; :scheme: \(isSecure ? "https" : "http"); :authority: \(origin.authority); "
      + ":path: /healthz?deep=1; user-agent: postern-health; accept: */*")
  }

  @Test("a server that does not speak the HTTP/2 of its upstream is not well, whatever it says in HTTP/1.1")
  func notHTTP2() throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    defer { upstream.stop() }
    let verdicts = try Verdicts(try Gateway.balanced([upstream.address]) { upstream in
      upstream.health = Self.often()
      upstream.health?.timeout = .milliseconds(200)
      upstream.applicationProtocol = .http2
    })
    waitUntil { verdicts.list == [false] }
  }

  @Test("a server that is not well gets no requests on any loop until it is, and is asked once for all loops")
  func flips() async throws {
    let isWell = Atomic(true)
    let asked = Mutex(0)
    let fleet = try (0..<2).map { number in
      try ScriptedUpstream { connection, _ in
        while let head = connection.readHead() {
          let isQuestion = head.hasPrefix("GET /healthz ")
          if isQuestion, number == 0 { asked.withLock { $0 += 1 } }
          let answer = isQuestion && number == 0 && !isWell.load(ordering: .relaxed)
            ? "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n" : Fleet.ok("\(number)")
          guard connection.send(answer) else { return }
        }
      }
    }
    defer { for upstream in fleet { upstream.stop() } }
    let group = try EventLoopGroup(count: 2)
    group.start()
    let told = Mutex<[Bool]>([])
    let plane = await DataPlane(
      group: group, endpoints: EndpointTable(),
      ports: .init(verifier: ScriptedVerifier(), freshness: AlwaysFresh(), credentials: ScriptedCredentials()),
      healthChanged: { _, isHealthy in told.withLock { $0.append(isHealthy) } })
    var rare = Self.often()
    rare.interval = .seconds(1000)
    await plane.apply(try Gateway.balanced(fleet.map(\.address)) { $0.health = rare })
    let address = try await plane.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!)
    func bodies() throws -> Set<String> {
      Set(try (0..<30).map { _ in
        let client = try RawConnection(to: address)
        client.send(get)
        return String(client.readAll().suffix(1))
      })
    }
    #expect(try bodies() == ["0", "1"])
    waitUntil { asked.withLock { $0 } > 0 }
    #expect(asked.withLock { $0 } == 1)

    // The same servers under another rule: asked more often from now on.
    let snapshot = try Gateway.balanced(fleet.map(\.address)) { $0.health = Self.often() }
    await plane.apply(snapshot)
    isWell.store(false, ordering: .relaxed)
    waitUntil { told.withLock { $0 } == [false] }
    let reports = await plane.upstreamServers()
    #expect(reports.filter(\.isHealthy).map(\.key.address) == [fleet[1].address])
    #expect(try bodies() == ["1"])
    // What is known outlives another snapshot.
    await plane.apply(snapshot)
    #expect(try bodies() == ["1"])
    isWell.store(true, ordering: .relaxed)
    waitUntil { told.withLock { $0 } == [false, true] }
    #expect(try bodies() == ["0", "1"])
    await plane.drain(within: .seconds(5))
    let count = asked.withLock { $0 }
    #expect(await plane.counters().proxiedRequests == 120)
    #expect(asked.withLock { $0 } == count, "who has stopped asks nobody")
    group.stop()
  }

  @Test("RFC 9209 §2.3.4: when no server is well the answer is 503 at once, with the time to the next question")
  func allDown() throws {
    let fleet = try Fleet(2)
    defer { fleet.stop() }
    var check = HealthCheck(path: "/")
    check.interval = .seconds(7)
    let gateway = try Gateway.balancing(fleet.addresses) { [check] in $0.health = check }
    let keys = gateway.onEngine { $0.upstreamGroups["up"]!.servers.map(\.key) }
    gateway.onEngine { for key in keys { $0.setHealth(of: key, false) } }
    let answer = try gateway.exchange(get)
    #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Retry-After: 7\r\n"))
    #expect(answer.contains("Proxy-Status: postern; error=destination_unavailable\r\n"))
    #expect(fleet.requests == [0, 0])
    // Without health checks nobody would ever find them well again; nor is a late word of one believed.
    try gateway.serve(fleet.addresses)
    gateway.onEngine { for key in keys { $0.setHealth(of: key, false) } }
    #expect(try gateway.exchange(get).hasPrefix("HTTP/1.1 200 "))
  }

  @Test("when the servers that are well have all been left out, they serve all the same: a guess yields to a finding")
  func panic() throws {
    let fleet = try Fleet(2) { .response($0 == 0 ? "HTTP/1.1 503 x\r\nContent-Length: 1\r\n\r\n0" : Fleet.ok("1")) }
    defer { fleet.stop() }
    let gateway = try Gateway.balancing(fleet.addresses) { upstream in
      upstream.health = HealthCheck(path: "/")
      upstream.ejection.after = 1
    }
    for _ in 0..<4 { _ = try gateway.exchange(get) }
    #expect(gateway.server(fleet.addresses[0]) { $0.circuit.isEjected } == true)
    let key = gateway.onEngine { $0.upstreamGroups["up"]!.servers[1].key }
    gateway.onEngine { $0.setHealth(of: key, false) }
    #expect(try gateway.exchange(get).hasPrefix("HTTP/1.1 503 x\r\n"))
  }
}
