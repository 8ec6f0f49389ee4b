import EventLoop
import ReverseProxy
import Testing

@testable import GatewayServer

private let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/// No more requests at a server than it is to have.
@Suite(.serialized) struct ServerLimitTests {
  /// Servers that answer when they may.
  private static func gateway(
    _ release: Semaphore, servers: Int = 1, pending: Int, wait: Duration = .seconds(10)
  ) throws -> (Gateway, Fleet) {
    let fleet = try Fleet(servers) {
      release.wait()
      return .response(Fleet.ok("\($0)"))
    }
    let gateway = try Gateway.balancing(fleet.addresses) { upstream in
      upstream.limits.requests = 1
      upstream.limits.pending = pending
      upstream.limits.wait = wait
    }
    return (gateway, fleet)
  }

  private static func begin(_ gateway: Gateway) throws -> RawConnection {
    let client = try gateway.connect()
    client.send(get)
    return client
  }

  @Test("RFC 9209 §2.3.12: when all servers have enough and nobody may wait, the answer is 503 connection_limit_reached, at once")
  func full() throws {
    let release = Semaphore()
    let (gateway, fleet) = try Self.gateway(release, servers: 2, pending: 0)
    defer { fleet.stop() }
    let served = [try Self.begin(gateway), try Self.begin(gateway)]
    waitUntil { fleet.requests == [1, 1] }
    let answer = try gateway.exchange(get)
    #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Retry-After: 1\r\n"))
    #expect(answer.contains("Proxy-Status: postern; error=connection_limit_reached\r\n"))
    for _ in served { release.signal() }
    #expect(Set(served.map { $0.readAll().suffix(1) }) == ["0", "1"])
    #expect(fleet.requests == [1, 1])
  }

  @Test("requests that may wait are served in their order as others end, and one more is refused")
  func waits() throws {
    let release = Semaphore()
    let (gateway, fleet) = try Self.gateway(release, pending: 3)
    defer { fleet.stop() }
    let first = try Self.begin(gateway)
    waitUntil { fleet.requests == [1] }
    var waiting: [RawConnection] = []
    for count in 1...3 {
      waiting.append(try Self.begin(gateway))
      waitUntil { gateway.onEngine { $0.upstreamGroups["up"]?.waitingCount } == count }
    }
    #expect(try gateway.exchange(get).contains("error=connection_limit_reached"))
    for client in [first] + waiting {
      release.signal()
      #expect(client.readAll().hasPrefix("HTTP/1.1 200 "))
    }
    #expect(fleet.requests == [4])
    #expect(gateway.server(fleet.addresses[0]) { $0.underWay } == 0)
  }

  @Test("another configuration with room lets those go on who wait")
  func moreRoom() throws {
    let release = Semaphore()
    let (gateway, fleet) = try Self.gateway(release, pending: 3)
    defer { fleet.stop() }
    let clients = try (0..<3).map { _ in try Self.begin(gateway) }
    waitUntil { gateway.onEngine { $0.upstreamGroups["up"]?.waitingCount } == 2 }
    try gateway.serve(fleet.addresses)
    waitUntil { fleet.requests == [3] }
    for _ in clients { release.signal() }
    for client in clients { #expect(client.readAll().hasPrefix("HTTP/1.1 200 ")) }
  }

  @Test("who has waited too long is answered 503, and who has gone meanwhile takes nobody's place")
  func impatient() throws {
    let release = Semaphore()
    let (gateway, fleet) = try Self.gateway(release, pending: 2, wait: .milliseconds(300))
    defer { fleet.stop() }
    let served = try Self.begin(gateway)
    waitUntil { fleet.requests == [1] }
    #expect(try gateway.exchange(get).contains("error=connection_limit_reached"))
    let gone = try Self.begin(gateway)
    waitUntil { gateway.onEngine { $0.upstreamGroups["up"]?.waitingCount } == 1 }
    gone.reset()
    release.signal()
    #expect(served.readAll().hasPrefix("HTTP/1.1 200 "))
    release.signal()
    #expect(try gateway.exchange(get).hasPrefix("HTTP/1.1 200 "))
  }
}
