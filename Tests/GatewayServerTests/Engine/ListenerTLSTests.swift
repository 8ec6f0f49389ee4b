import EventLoop
import HTTPWire
import ReverseProxy
import TestCertificates
import Testing

@testable import GatewayServer

private let certificates = TestCertificates.shared
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite(.serialized) struct ListenerTLSTests {
  @Test("Plain HTTP on a TLS port is not served, and not answered in clear")
  func plainClient() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try RawConnection(to: gateway.listenSecurely())
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(!client.readAll().contains("HTTP"))
    #expect(gateway.counters.failedHandshakes == 1 && gateway.counters.tlsHandshakes == 0)
    #expect(upstream.connectionCount == 0)
  }

  @Test("RFC 8446 §4.4.2.4: where client certificates are required, a client without one is not served")
  func noClientCertificate() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    var settings = TLSServerSettings.server
    settings.clientAuthorities = certificates.authority.certificate
    // In TLS 1.3 the client is done before the server has looked for its certificate.
    let client = try SecureConnection(to: gateway.listenSecurely(settings))
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(client.readAll() == "")
    #expect(client.ending == .truncation)
    #expect(upstream.connectionCount == 0)
    #expect(gateway.counters.failedHandshakes == 1)
  }

  @Test("A client that does not go on with the handshake is cut off")
  func slowHandshake() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.request.headerTimeout = .milliseconds(1)
    let gateway = try Gateway.open(upstream.address, limits: limits)
    let client = try RawConnection(to: gateway.listenSecurely())
    client.send([0x16, 3, 1])
    #expect(client.readAll() == "")
    #expect(gateway.counters.clientConnections == 0)
  }

  @Test("A client that is gone within the handshake leaves nothing behind")
  func goneClient() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try RawConnection(to: gateway.listenSecurely())
    client.send([0x16, 3, 1])
    client.close()
    waitUntil { gateway.counters.failedHandshakes == 1 }
    #expect(gateway.counters.clientConnections == 0)
  }

  @Test("The client must see a truncation when the upstream breaks off, never a clean end")
  func truncation() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      _ = connection.readMessage()
      connection.send("HTTP/1.1 200 OK\r\n\r\nhalf")
      connection.reset()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try SecureConnection(to: gateway.listenSecurely())
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = client.readAll()
    #expect(client.ending == .truncation)
  }

  @Test("Requests over TLS are served one after the other, and the upstream is told https")
  func serves() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try SecureConnection(to: gateway.listenSecurely())
    for _ in 0..<20 {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.readMessage()?.body == "ok")
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n")
    #expect(client.readMessage() != nil && client.readAll() == "")
    #expect(client.ending == .closeNotify)
    #expect(upstream.received[0].contains("X-Forwarded-Proto: https\r\n"))
    #expect(!upstream.received[0].contains("X-Forwarded-Proto: http\r\n"))
    #expect(client.session.applicationProtocol == .http11)
  }

  @Test("RFC 9112 §9.3.2: pipelined requests in one record are answered in their order")
  func pipelining() throws {
    let upstream = try ScriptedUpstream.echo()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try SecureConnection(to: gateway.listenSecurely())
    client.send((0..<500).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
    for number in 0..<500 { #expect(client.readMessage()?.body == "/\(number)") }
  }

  @Test("RFC 8446 §2.2: a client resumes its session")
  func resumes() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let address = try gateway.listenSecurely()
    let cache = TLSSessionCache()
    for round in 0..<3 {
      let client = try SecureConnection(to: address, resuming: cache)
      #expect(client.session.isResumed == (round > 0))
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.readMessage()?.body == "ok")
    }
  }

  @Test("A slow reader holds its sender back, and gets every byte: downstream")
  func slowClient() throws {
    let content = (0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
    let upstream = try ScriptedUpstream(certificate: certificates.server) { connection, _ in
      _ = connection.readMessage()
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(content.count)\r\n\r\n")
      connection.send(content)
    }
    defer { upstream.stop() }
    let gateway = try Gateway.verifying(upstream.address)
    let client = try SecureConnection(to: gateway.listenSecurely())
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    // Not read until the gateway holds as much as it will.
    waitUntil { gateway.onEngine { $0.waitingBytes } > EngineLimits().highWatermark }
    #expect(gateway.onEngine { $0.waitingBytes } < EngineLimits().highWatermark + 2 * EngineLimits().receptionBytes)
    #expect(client.readBytes()?.body == content)
  }

  @Test("A slow reader holds its sender back, and gets every byte: upstream")
  func slowUpstream() throws {
    let content = (0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 &* 11 &+ $0 >> 7) }
    let mayRead = Semaphore()
    let upstream = try ScriptedUpstream(certificate: certificates.server) { connection, _ in
      mayRead.wait()
      guard let body = connection.readBytes()?.body else { return }
      connection.send(body == content ? ok : "HTTP/1.1 500 Not the same\r\nContent-Length: 0\r\n\r\n")
      _ = connection.readHead()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.verifying(upstream.address)
    let address = try gateway.listenSecurely()
    let answer = ResultBox<String>()
    onThread {
      let client = try! SecureConnection(to: address)
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(content.count)\r\n\r\n")
      client.send(content)
      answer.set(client.readMessage().map { $0.head } ?? "nothing")
    }
    waitUntil { gateway.onEngine { $0.waitingBytes } > EngineLimits().highWatermark }
    #expect(gateway.onEngine { $0.waitingBytes } < EngineLimits().highWatermark + 2 * EngineLimits().receptionBytes)
    mayRead.signal()
    #expect(answer.wait().hasPrefix("HTTP/1.1 200 OK"))
  }
}
