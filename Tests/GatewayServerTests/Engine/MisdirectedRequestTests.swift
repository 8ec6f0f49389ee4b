import EventLoop
import NetworkAddress
import ReverseProxy
import TestCertificates
import Testing

@testable import GatewayServer

private let certificates = TestCertificates.shared
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

extension TLSServerSettings {
  /// For `localhost`, and for every host one label below `elsewhere.example`.
  fileprivate static let several = TLSServerSettings(
    certificate: certificates.server.certificate, key: certificates.server.key,
    otherCertificates: [CertificateFiles(certificate: certificates.wildcard.certificate, key: certificates.wildcard.key)])
}

@Suite(.serialized) struct MisdirectedRequestTests {
  @Test("RFC 9110 §7.4, §15.5.20: a request for a host that the connection's certificate is not for is 421, others on it are served")
  func http1() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let address = try gateway.listenSecurely(.several)
    for (name, cases) in [
      ("localhost", [("localhost", 200), ("127.0.0.1:443", 200), ("a.elsewhere.example", 421), ("evil.example", 421), ("LOCALHOST:1", 200)]),
      ("a.elsewhere.example", [("b.elsewhere.example", 200), ("localhost", 421), ("elsewhere.example", 421), ("a.elsewhere.example", 200)]),
    ] {
      let client = try SecureConnection(to: address, host: name)
      for (host, status) in cases + cases {
        client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        let head = client.readMessage()?.head
        #expect(head?.hasPrefix("HTTP/1.1 \(status) ") == true, "\(host) on \(name): \(head ?? "")")
        #expect(head?.contains("Proxy-Status") == false)
      }
    }
    #expect(!upstream.received.joined().contains("evil.example"))
  }

  @Test("RFC 9113 §9.1.2: streams on a connection that is used for another host get 421")
  func http2() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let secure = try SecureConnection(to: gateway.listenSecurely(.several), offering: [.http2])
    let client = HTTP2Connection(secure)
    for (authority, status) in [("localhost", "200"), ("a.elsewhere.example", "421"), ("127.0.0.1", "200")] {
      let stream = client.request([(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", "/")])
      #expect(client.response(stream)?.status == status)
    }
  }

  @Test("A listener with one certificate answers for whatever host it is asked for, and a trusted proxy speaks for every host")
  func others() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let request = "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n"
    let plain = try Gateway.open(upstream.address)
    let single = try SecureConnection(to: plain.listenSecurely())
    single.send(request)
    #expect(single.readMessage()?.body == "ok")
    let gateway = try Gateway(
      [.everything()], upstreams: ["up": [upstream.address]], trustedProxies: [AddressBlock("127.0.0.1")!])
    let proxy = try SecureConnection(to: gateway.listenSecurely(.several))
    proxy.send(request)
    #expect(proxy.readMessage()?.body == "ok")
  }
}
