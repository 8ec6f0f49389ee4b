import EventLoop
import HTTPWire
import NetworkAddress
import ReverseProxy
import Testing

@testable import GatewayServer

private struct Says: Endpoint {
  let text: String
  func respond(to request: HTTPRequest) async -> HTTPResponse { HTTPResponse(status: 200, body: Array(text.utf8)) }
}

/// What another snapshot changes for connections that stand, and for those that come.
@Suite(.serialized) struct SnapshotTests {
  private static let empty = GatewaySnapshot(
    routes: { do { return try RouteTable([]) } catch { preconditionFailure("no routes conflict") } }(), upstreams: [],
    addresses: [:])

  @Test("a request under way ends as it began, even when its route and its upstream are gone")
  func underWay() throws {
    let mayEnd = Semaphore()
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readMessage() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
      mayEnd.wait()
      connection.send("-last")
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 200 ") == true)
    #expect(client.read(5) == Array("first".utf8))
    gateway.onEngine { $0.apply(Self.empty) }
    mayEnd.signal()
    #expect(client.read(5) == Array("-last".utf8))

    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readHead()?.hasPrefix("HTTP/1.1 404 ") == true)
  }

  @Test("a connection that stands gets the new routes and endpoints with its next request")
  func nextRequest() throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    defer { upstream.stop() }
    var endpoints = EndpointTable()
    endpoints.add("/account", Says(text: "before"))
    let gateway = try Gateway([], upstreams: [:], endpoints: endpoints)
    let client = try gateway.connect()
    func get(_ path: String) -> String {
      client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
      return client.readMessage().map { "\($0.head.dropFirst(9).prefix(3)) \($0.body)" } ?? "none"
    }
    #expect(get("/account") == "200 before")
    #expect(get("/").hasPrefix("404 "))

    var snapshot = try Gateway.snapshot([.everything()], ["up": [upstream.address]])
    gateway.onEngine { [snapshot] in $0.apply(snapshot) }
    #expect(get("/") == "200 ok")
    #expect(get("/account") == "200 before", "a snapshot without endpoints leaves them")

    var others = EndpointTable()
    others.add("/account", Says(text: "after"))
    snapshot.endpoints = others
    gateway.onEngine { [snapshot] in $0.apply(snapshot) }
    #expect(get("/account") == "200 after")
  }

  @Test("limits and trusted proxies hold for connections that come after them")
  func connections() throws {
    var endpoints = EndpointTable()
    endpoints.add("/account", Says(text: "ok"))
    let gateway = try Gateway([], upstreams: [:], endpoints: endpoints)
    let request = "GET /account HTTP/1.1\r\nHost: a\r\nX-Long: \(String(repeating: "x", count: 300))\r\nConnection: close\r\n\r\n"
    let early = try gateway.connect()
    early.send("GET /account HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(early.readMessage()?.body == "ok")

    var snapshot = Self.empty
    var limits = Limits()
    limits.fieldBytesMax = 256
    snapshot.limits = limits
    snapshot.trustedProxies = [try #require(AddressBlock("127.0.0.1"))]
    gateway.onEngine { [snapshot] in $0.apply(snapshot) }
    #expect(try gateway.exchange(request).hasPrefix("HTTP/1.1 431 "))
    early.send(request)
    #expect(early.readAll().hasPrefix("HTTP/1.1 200 "))
    #expect(gateway.onEngine { $0.trustedProxies.contains(SocketAddress(literal: "127.0.0.1", port: 1)!) })
  }
}
