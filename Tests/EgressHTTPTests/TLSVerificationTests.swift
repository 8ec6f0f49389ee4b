import Testing

@testable import EgressHTTP

@Suite(.timeLimit(.minutes(5)))
struct TLSVerificationTests {
  @Test("RFC 6749 §10.9: a self-signed peer is refused, development flags or not")
  func selfSigned() async throws {
    let peer = try TLSPeer(name: "provider.test")
    try await Egress.run { egress in
      #expect(await egress.post("https://provider.test:\(peer.port)/").failure == .tls)
    }
  }

  @Test("RFC 9525 §6: a certificate of another name is refused")
  func wrongName() async throws {
    let peer = try TLSPeer(name: "other.test")
    try await Egress.run(trustAnchors: peer.certificate) { egress in
      #expect(await egress.post("https://provider.test:\(peer.port)/").failure == .tls)
    }
  }

  @Test("A peer whose certificate names it and is trusted is spoken to")
  func trusted() async throws {
    let peer = try TLSPeer(name: "provider.test")
    try await Egress.run(trustAnchors: peer.certificate) { egress in
      #expect(await egress.post("https://provider.test:\(peer.port)/").response?.status == 200)
    }
  }

  @Test("A peer that does not speak TLS is refused")
  func plain() async throws {
    let server = try ScriptedServer(greeting: "HTTP/1.1 400 Bad Request\r\n\r\n", .silence)
    defer { server.stop() }
    try await Egress.run { egress in
      #expect(await egress.post("https://provider.test:\(server.port)/").failure == .tls)
    }
  }
}
