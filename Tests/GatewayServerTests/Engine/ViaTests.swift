import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite(.serialized) struct ViaTests {
  private let via = ViaField(deployment: "https://auth.example.com")
  private var name: String { String(decoding: via.pseudonym, as: UTF8.self) }

  private func gateway(_ upstream: SocketAddress, via: ViaField) throws -> Gateway {
    try Gateway([.everything()], upstreams: ["up": [upstream]], via: via)
  }

  private func viaLines(_ text: String) -> [String] {
    text.split(separator: "\r\n").map(String.init).filter { $0.lowercased().hasPrefix("via:") }
  }

  @Test("RFC 9110 §7.6.3: a message names the gateway it came through, behind those before it, with the version received")
  func written() throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 2\r\n\r\nok")
    defer { upstream.stop() }
    let gateway = try gateway(upstream.address, via: via)
    let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 a\r\nvia: 1.1 b (x)\r\nConnection: close\r\n\r\n")
    #expect(viaLines(answer) == ["Via: 1.1 inner", "Via: 1.1 \(name)"])
    #expect(viaLines(upstream.received[0]) == ["Via: 1.0 a", "via: 1.1 b (x)", "Via: 1.1 \(name)"])
    _ = try gateway.exchange("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    #expect(upstream.received.joined().hasSuffix("\r\n\r\n") && viaLines(upstream.received.joined()).last == "Via: 1.0 \(name)")
  }

  @Test("RFC 5842 §7.2: a request that comes back to its deployment is answered 508, and goes no further")
  func loop() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try gateway(upstream.address, via: via)
    for value in ["1.1 \(name)", "1.0 a,1.1 \(name)", "1.1 \(name.uppercased()), 1.1 b", "1.1\t\(name) (again)", "HTTP/2.0 \(name)"] {
      let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nVia: \(value)\r\nConnection: close\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 508 "), "\(value)")
      #expect(answer.contains("Proxy-Status: postern; error=proxy_loop_detected\r\n"))
    }
    #expect(upstream.connectionCount == 0)
    for value in ["1.1 x\(name)", "1.1 \(name)x", "1.1 postern", "1.1 \(name.dropLast())", ""] {
      #expect(try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nVia: \(value)\r\nConnection: close\r\n\r\n").hasPrefix("HTTP/1.1 200 "), "\(value)")
    }
  }

  @Test("two deployments in a row work, a circle of them ends")
  func chain() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let inner = try gateway(upstream.address, via: ViaField(deployment: "https://inner.example"))
    let outer = try gateway(inner.address, via: via)
    #expect(try outer.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
    #expect(viaLines(upstream.received[0]).count == 2)
    inner.onEngine { [outer] engine in
      engine.apply(try! Gateway.snapshot([.everything()], ["up": [outer.address]]))
    }
    #expect(try outer.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").hasPrefix("HTTP/1.1 508 "))
  }
}
