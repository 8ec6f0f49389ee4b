import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy
import Testing

@testable import GatewayServer

@Suite(.serialized) struct DataPlaneTests {
  @Test("every loop serves the snapshot, hears of changes, and drains")
  func lifeCycle() async throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    defer { upstream.stop() }
    let group = try EventLoopGroup(count: 2)
    group.start()
    let verifier = ScriptedVerifier()
    verifier.add("good")
    let plane = await DataPlane(
      group: group, endpoints: EndpointTable(),
      ports: .init(verifier: verifier, freshness: AlwaysFresh(), credentials: ScriptedCredentials()))
    await plane.apply(try Gateway.snapshot([.everything(access: AccessPolicy())], ["up": [upstream.address]]))
    let address = try await plane.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!)

    func statuses(_ count: Int) throws -> Set<String> {
      var found: Set<String> = []
      for _ in 0..<count {
        let client = try RawConnection(to: address)
        client.send("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n")
        found.insert(String(client.readAll().prefix(12)))
      }
      return found
    }
    #expect(try statuses(40) == ["HTTP/1.1 200"])
    verifier.state.withLock { $0.facts = [:] }
    plane.apply([.clientChanged(ClientID("c"))])
    // `counters` runs on every loop after the change did.
    #expect(await plane.counters().responses[1] == 40)
    #expect(try statuses(40) == ["HTTP/1.1 401"])
    await plane.drain(within: .seconds(5))
    group.stop()
  }
}
