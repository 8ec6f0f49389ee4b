import Glibc
import TestCertificates
import Testing

@testable import EventLoop

private let certificates = TestCertificates.shared

@Suite("TLS sessions") struct TLSSessionTests {
  private func connected() throws -> TLSPair {
    let pair = try TLSPair(server: TLSServerContext(TLSServerSettings(certificates.server)))
    try #require(pair.handshake() == (nil, nil))
    return pair
  }

  @Test("RFC 8446 §6.1: an end without close_notify is a failure, not an end")
  func truncation() throws {
    let pair = try connected()
    #expect(pair.server.send("half") == 4)
    shutdown(pair.sockets.far, Int32(SHUT_RDWR))
    #expect(pair.client.receive().text == "half")
    guard case .failed = pair.client.receive().outcome else { return #expect(Bool(false), "a truncation looked like an end") }
    guard case .failed = pair.client.receive().outcome else { return #expect(Bool(false), "a failure did not last") }
  }

  @Test("RFC 8446 §6.1: close_notify ends one direction; the other goes on")
  func closeNotify() throws {
    let pair = try connected()
    #expect(pair.server.send("whole") == 5)
    #expect(pair.server.sendCloseNotify())
    #expect(pair.server.sendCloseNotify(), "the second time does nothing")
    #expect(pair.client.receive().text == "whole")
    guard case .end = pair.client.receive().outcome else { return #expect(Bool(false), "no end") }
    #expect(pair.client.send("thanks") == 6)
    #expect(pair.server.receive().text == "thanks")
  }

  @Test("Bytes that are no TLS are refused with nothing read from them", arguments: [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}hello", "SSH-2.0-OpenSSH_9\r\n",
  ])
  func noTLS(text: String) throws {
    let sockets = try SocketPair()
    let session = try TLSServerContext(TLSServerSettings(certificates.server)).session(on: sockets.far)
    _ = text.withCString { write(sockets.near, $0, strlen($0)) }
    shutdown(sockets.near, Int32(SHUT_WR))
    guard case .failed = session.handshake() else { return #expect(Bool(false), "accepted") }
    guard case .failed = session.receive().outcome else { return #expect(Bool(false), "read") }
    #expect(session.send("x") == nil)
  }

  @Test("RFC 7301 §3.2: a client that speaks only other protocols is refused")
  func protocols() throws {
    let pair = try TLSPair(server: TLSServerContext(TLSServerSettings(certificates.server)))
    pair.client.offer(protocols: [2] + Array("h3".utf8))
    #expect(pair.handshake().server == .protocolError("no application protocol"))
    let second = try TLSPair(server: TLSServerContext(TLSServerSettings(certificates.server)))
    second.client.offer(protocols: [2] + Array("h3".utf8) + [8] + Array("http/1.1".utf8))
    #expect(second.handshake() == (nil, nil))
    #expect(second.server.applicationProtocol == .http11)
    let third = try TLSPair(server: TLSServerContext(TLSServerSettings(certificates.server)))
    third.client.offer(protocols: [8] + Array("http/1.1".utf8) + [2] + Array("h2".utf8))
    #expect(third.handshake() == (nil, nil))
    #expect(third.server.applicationProtocol == .http2)
  }

  @Test("RFC 9325 §3.1.1: TLS 1.1 is not spoken")
  func oldVersion() throws {
    // A ClientHello for TLS 1.1 with two of its cipher suites.
    let hello = [1, 0, 0, 43, 3, 2] + [UInt8](repeating: 7, count: 32) + [0, 0, 4, 0xc0, 0x09, 0, 0x2f, 1, 0]
    let record = [0x16, 3, 1, 0, UInt8(hello.count)] + hello
    let sockets = try SocketPair()
    let session = try TLSServerContext(TLSServerSettings(certificates.server)).session(on: sockets.far)
    #expect(write(sockets.near, record, record.count) == record.count)
    guard case .failed(let failure) = session.handshake() else { return #expect(Bool(false), "accepted") }
    #expect(failure == .protocolError("unsupported protocol"))
    var alert = [UInt8](repeating: 0, count: 16)
    let count = read(sockets.near, &alert, alert.count)
    // Fatal, protocol_version. Source: RFC 8446 §6.2.
    #expect(count == 7 && alert[0] == 0x15 && Array(alert[5..<7]) == [2, 70])
  }

  @Test("RFC 8446 §2.2, RFC 5077: a session is resumed with the same server, verified peer and all", arguments: [0x0303, 0x0304])
  func resumption(version: Int) throws {
    let server = try TLSServerContext(TLSServerSettings(certificates.server))
    let context = try TLSClientContext(authorities: certificates.authority.certificate)
    let cache = TLSSessionCache()
    for round in 0..<3 {
      let pair = try TLSPair(server: server, client: context, cache: cache)
      pair.client.restrict(toVersion: version)
      try #require(pair.handshake() == (nil, nil))
      #expect(pair.client.isResumed == (round > 0))
      #expect(pair.server.isResumed == (round > 0))
      // In TLS 1.3 tickets come behind the handshake, with the first bytes.
      #expect(pair.server.send("x") == 1)
      #expect(pair.client.receive().text == "x")
      #expect(pair.client.peerCertificate?.subject == "CN=leaf")
    }
    // Another context has other ticket keys: a full handshake, and no failure.
    let pair = try TLSPair(
      server: TLSServerContext(TLSServerSettings(certificates.renewedServer)), client: context, cache: cache)
    #expect(pair.handshake() == (nil, nil))
    #expect(!pair.client.isResumed)
  }

  @Test("Large bodies pass a socket that takes only a part at a time, byte for byte")
  func partialWrites() throws {
    let pair = try connected()
    let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    var sent = 0
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 48 << 10)
    var stalls = 0
    while received.count < content.count {
      // A new copy each time: the buffer moves between tries.
      let rest = Array(content[sent...].prefix(100_000))
      let count = try #require(rest.withUnsafeBytes { pair.server.write($0) })
      if count < rest.count { stalls += 1 }
      sent += count
      if case .bytes(let count, _) = buffer.withUnsafeMutableBytes({ pair.client.read(into: $0) }) {
        received += buffer[..<count]
      }
    }
    #expect(received == content)
    #expect(stalls > 0, "the socket was never full: nothing was tried")
  }

  @Test("A reception that emptied the socket says so, and one that did not does not")
  func drained() throws {
    let pair = try connected()
    _ = pair.server.send("a")
    // The tickets of TLS 1.3 came before it.
    guard case .bytes(1, isDrained: true) = pair.client.receive().outcome else {
      return #expect(Bool(false), "one more system call is needed to learn that nothing is there")
    }
    _ = pair.server.send("0123456789")
    guard case .bytes(4, isDrained: false) = pair.client.receive(4).outcome else {
      return #expect(Bool(false), "what was decrypted and not asked for yet would be forgotten")
    }
    #expect(pair.client.hasPending)
    // More comes, and its event is reported, before the rest is asked for.
    _ = pair.server.send("abc")
    guard case .bytes(6, isDrained: false) = pair.client.receive(6).outcome else {
      return #expect(Bool(false), "what came since the last reception would be forgotten")
    }
    guard case .bytes(3, isDrained: true) = pair.client.receive().outcome else {
      return #expect(Bool(false), "what came later was not found")
    }
    #expect(!pair.client.hasPending)
  }
}

@Suite("TLS server files") struct TLSServerFileTests {
  @Test("Certificate and key that do not match, or cannot be read, make no server", arguments: [
    TLSServerSettings(certificate: certificates.server.certificate, key: certificates.client.key),
    TLSServerSettings(certificate: certificates.server.key, key: certificates.server.key),
    TLSServerSettings(certificate: "/nowhere/tls.crt", key: certificates.server.key),
    TLSServerSettings(certificate: certificates.server.certificate, key: "/nowhere/tls.key"),
    TLSServerSettings(
      certificate: certificates.server.certificate, key: certificates.server.key, clientAuthorities: "/nowhere/ca.pem"),
  ])
  func unusable(settings: TLSServerSettings) {
    #expect(throws: TLSFailure.self) { try TLSServerContext(settings) }
  }

  @Test("A listener that got another certificate shows it to the next client; connections that stand go on")
  func replaced() throws {
    let acceptor = TLSAcceptor(try TLSServerContext(TLSServerSettings(certificates.server)))
    let first = try TLSPair(acceptor)
    #expect(first.handshake() == (nil, nil))
    acceptor.replace(with: try TLSServerContext(TLSServerSettings(certificates.renewedServer)))
    let second = try TLSPair(acceptor)
    #expect(second.handshake() == (nil, nil))
    #expect(first.client.peerCertificate != second.client.peerCertificate)
    _ = first.server.send("still here")
    #expect(first.client.receive().text == "still here")
  }
}
