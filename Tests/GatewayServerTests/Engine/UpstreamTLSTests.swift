import EventLoop
import HTTPWire
import ReverseProxy
import Synchronization
import TestCertificates
import Testing

@testable import GatewayServer

private let certificates = TestCertificates.shared
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

@Suite(.serialized) struct UpstreamTLSTests {
  @Test("RFC 9209 §2.3.14: an upstream that cannot prove who it is gets nothing; the client gets 502 tls_certificate_error", arguments: [
    certificates.elsewhere, certificates.commonNameOnly, certificates.expired, certificates.selfSigned, certificates.stranger,
  ])
  func notVerified(certificate: TestCertificates.Pair) throws {
    let served = Mutex(0)
    let upstream = try ScriptedUpstream(certificate: certificate) { _, _ in served.withLock { $0 += 1 } }
    defer { upstream.stop() }
    let answer = try Gateway.verifying(upstream.address).exchange(get)
    #expect(answer.hasPrefix("HTTP/1.1 502 "))
    #expect(answer.contains("Proxy-Status: postern; error=tls_certificate_error"))
    #expect(served.withLock { $0 } == 0)
    #expect(!answer.contains("localhost"), "the caller learns nothing about the upstream")
  }

  @Test("An address is verified as an address")
  func address() throws {
    let upstream = try ScriptedUpstream(certificate: certificates.server) { connection, _ in
      while connection.readMessage() != nil { connection.send(ok) }
    }
    defer { upstream.stop() }
    #expect(try Gateway.verifying(upstream.address, host: "127.0.0.1").exchange(get).hasSuffix("\r\n\r\nok"))
    #expect(try Gateway.verifying(upstream.address, host: "[::1]").exchange(get).contains("error=tls_certificate_error"))
  }

  @Test("RFC 9209 §2.3.13: an upstream that speaks no TLS: 502 tls_protocol_error, and it never saw the request")
  func plainUpstream() throws {
    let upstream = try ScriptedUpstream { connection, _ in
      _ = connection.receive()
      connection.send(ok)
      _ = connection.receive()
    }
    defer { upstream.stop() }
    let answer = try Gateway.verifying(upstream.address).exchange(get)
    #expect(answer.contains("Proxy-Status: postern; error=tls_protocol_error"))
    #expect(!upstream.received[0].contains("GET"))
  }

  @Test("RFC 9209 §2.3.9: an upstream that does not answer the handshake: 504 connection_timeout")
  func silentUpstream() throws {
    let upstream = try ScriptedUpstream { connection, _ in while connection.receive() != nil {} }
    defer { upstream.stop() }
    var timeouts = Upstream.Timeouts()
    timeouts.connect = .milliseconds(1)
    let answer = try Gateway.verifying(upstream.address, timeouts: timeouts).exchange(get)
    #expect(answer.hasPrefix("HTTP/1.1 504 ") && answer.contains("error=connection_timeout"))
  }

  @Test("An upstream that ends within the handshake: 502 connection_terminated")
  func goneUpstream() throws {
    let upstream = try ScriptedUpstream { connection, _ in _ = connection.receive() }
    defer { upstream.stop() }
    #expect(try Gateway.verifying(upstream.address).exchange(get).contains("error=connection_terminated"))
  }

  @Test("RFC 9112 §9.8: a body that ends with the connection is whole with close_notify only", arguments: [true, false])
  func untilClose(isWhole: Bool) throws {
    let upstream = try ScriptedUpstream(certificate: certificates.server) { connection, _ in
      _ = connection.readMessage()
      connection.send("HTTP/1.1 200 OK\r\n\r\nall of it")
      if isWhole { connection.end() }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.verifying(upstream.address)
    let client = try SecureConnection(to: gateway.listenSecurely())
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let answer = client.readAll()
    if isWhole { #expect(answer.hasSuffix("\r\n\r\nall of it")) }
    #expect(client.ending == (isWhole ? .closeNotify : .truncation))
    #expect(gateway.counters.truncatedResponses == (isWhole ? 0 : 1))
  }

  @Test("RFC 8446 §4.6: a secured connection is used again, whatever TLS itself says between requests")
  func pooled() throws {
    let upstream = try ScriptedUpstream(certificate: certificates.server) { connection, _ in
      while connection.readMessage() != nil {
        connection.send(ok)
        connection.updateKeys()
      }
    }
    defer { upstream.stop() }
    let gateway = try Gateway.verifying(upstream.address)
    let client = try gateway.connect()
    for _ in 0..<20 {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.readMessage()?.body == "ok")
    }
    #expect(upstream.connectionCount == 1)
  }

  @Test("RFC 8446 §2.2: the next connection to a server resumes its session")
  func resumed() throws {
    let resumed = Mutex<[Bool]>([])
    let upstream = try ScriptedUpstream(certificate: certificates.server) { connection, _ in
      resumed.withLock { $0.append(connection.session.isResumed) }
      _ = connection.readMessage()
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
      connection.end()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.verifying(upstream.address)
    for _ in 0..<3 { #expect(try gateway.exchange(get).hasSuffix("ok")) }
    #expect(resumed.withLock { $0 } == [false, true, true])
  }
}
