import Cryptography
import EventLoop
import Foundation
import OAuthCore
import ReverseProxy
import TestCertificates
import Testing

@testable import GatewayServer

private let certificates = TestCertificates.shared
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// What upstreams are told of clients' certificates.
@Suite(.serialized) struct ClientCertificateTests {
  private static let settings = TLSServerSettings(
    certificate: certificates.server.certificate, key: certificates.server.key,
    clientAuthorities: certificates.authority.certificate, clientAuthentication: .optional)

  private static func gateway(_ upstream: ScriptedUpstream, _ rule: ClientCertificateRule) throws -> (Gateway, SocketAddress) {
    var route = Route.everything()
    route.clientCertificate = rule
    let gateway = try Gateway([route], upstreams: ["up": [upstream.address]])
    return (gateway, try gateway.listenSecurely(settings))
  }

  /// The certificates of a PEM file, each as RFC 9440 §2.1 writes it.
  private static func items(_ path: String) throws -> [String] {
    try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "-----BEGIN CERTIFICATE-----").dropFirst().map {
      ":" + $0.components(separatedBy: "-----END")[0].filter { !$0.isNewline } + ":"
    }
  }

  private static func told(_ upstream: ScriptedUpstream) -> [String] {
    upstream.received.joined().components(separatedBy: "\r\n").filter { $0.lowercased().hasPrefix("client") }
  }

  private static let forgeries = "Client-Cert: :AAAA:\r\nCLIENT_CERT: :AAAA:\r\nClient-Cert-Chain: :AAAA:\r\nclient_cert-chain: :AAAA:\r\n"

  @Test("RFC 9440 §2.2, §4: an upstream hears of the certificate that was proven, once, and of no other", arguments: [
    ClientCertificateRule.leaf, .none,
  ])
  func leaf(rule: ClientCertificateRule) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let (gateway, address) = try Self.gateway(upstream, rule)
    let expected = try rule == .none ? [] : ["Client-Cert: \(Self.items(certificates.client.certificate)[0])"]
    let client = try SecureConnection(to: address, identity: certificates.client)
    for round in 1...2 {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\(Self.forgeries)\r\n")
      #expect(client.readMessage()?.body == "ok")
      #expect(Self.told(upstream) == Array(repeating: expected, count: round).flatMap { $0 })
    }
    let stream = HTTP2Connection(try SecureConnection(to: address, offering: [.http2], identity: certificates.client))
    let answer = stream.response(stream.get("/", [("client-cert", ":AAAA:"), ("client_cert", ":AAAA:"), ("client-cert-chain", ":A:")]))
    #expect(answer?.body == "ok")
    #expect(Self.told(upstream) == Array(repeating: expected, count: 3).flatMap { $0 })
    _ = gateway
  }

  @Test("RFC 9440 §4: of a client that shows no certificate, and over clear text, an upstream hears nothing, whatever it was told")
  func unproven() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let (gateway, address) = try Self.gateway(upstream, .chain)
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\(Self.forgeries)Connection: close\r\n\r\n"
    let client = try SecureConnection(to: address)
    client.send(request)
    #expect(client.readMessage()?.body == "ok")
    #expect(try gateway.exchange(request).hasSuffix("ok"))
    #expect(Self.told(upstream).isEmpty)
    // One that no authority vouches for does not even get in.
    let stranger = try SecureConnection(to: address, identity: certificates.strangeClient)
    stranger.send(request)
    #expect(stranger.readMessage() == nil)
  }

  @Test("RFC 8705 §3: a token that is bound to a certificate is worth nothing without it, on whatever connection, cached or not")
  func boundToken() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway([.everything(access: AccessPolicy())], upstreams: ["up": [upstream.address]])
    let address = try gateway.listenSecurely(Self.settings)
    let thumbprint = TestCertificates.fingerprint(of: certificates.client.certificate)
    gateway.verifier.add("bound", claims: ["cnf": ["x5t#S256": .string(Base64URL.encode(thumbprint))]])
    gateway.verifier.add("other", claims: ["cnf": ["x5t#S256": .string(Base64URL.encode(thumbprint.reversed()))]])
    gateway.verifier.add("unread", claims: ["cnf": ["jkt": "x"]])
    gateway.verifier.add("both", claims: ["cnf": ["x5t#S256": .string(Base64URL.encode(thumbprint)), "jkt": "x"]])
    gateway.verifier.add("bearer")
    func get(_ token: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n" }

    let owner = try SecureConnection(to: address, identity: certificates.client)
    let sameAuthority = try SecureConnection(to: address, identity: certificates.server)
    let nobody = try SecureConnection(to: address)
    let clear = try gateway.connect()
    for _ in 1...2 {
      for (token, isTaken) in [("bound", true), ("other", false), ("unread", false), ("both", false), ("bearer", true)] {
        owner.send(get(token))
        let head = owner.readMessage()?.head
        #expect(head?.hasPrefix(isTaken ? "HTTP/1.1 200 " : "HTTP/1.1 401 ") == true, "\(token)")
        #expect(isTaken || head?.contains("error=\"invalid_token\"") == true)
      }
      for (token, isTaken) in [("bound", false), ("unread", false), ("bearer", true)] {
        let status = isTaken ? "HTTP/1.1 200 " : "HTTP/1.1 401 "
        sameAuthority.send(get(token))
        #expect(sameAuthority.readMessage()?.head.hasPrefix(status) == true, "\(token)")
        nobody.send(get(token))
        #expect(nobody.readMessage()?.head.hasPrefix(status) == true, "\(token)")
        clear.send(get(token))
        #expect(clear.readMessage()?.head.hasPrefix(status) == true, "\(token)")
      }
    }
    for (identity, status) in [(certificates.client, "200"), (certificates.server, "401")] {
      let stream = HTTP2Connection(try SecureConnection(to: address, offering: [.http2], identity: identity))
      #expect(stream.response(stream.get("/", [("authorization", "Bearer bound")]))?.status == status)
    }
  }

  @Test("RFC 9440 §2.3: those that the client sent with its certificate follow in their order, without its own")
  func chain() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let (gateway, address) = try Self.gateway(upstream, .chain)
    let file = certificates.folder.appendingPathComponent("client-chain-\(UUID().uuidString).pem")
    let files = [certificates.client.certificate, certificates.authority.certificate]
    try files.map { try String(contentsOfFile: $0, encoding: .utf8) }.joined().write(to: file, atomically: true, encoding: .utf8)
    let cache = TLSSessionCache()
    let items = try Self.items(file.path)
    for round in 0..<2 {
      let client = try SecureConnection(
        to: address, resuming: cache, identity: .init(certificate: file.path, key: certificates.client.key))
      #expect(client.session.isResumed == (round > 0))
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(client.readMessage()?.body == "ok")
    }
    // A ticket holds the client's own certificate only.
    #expect(Self.told(upstream) == ["Client-Cert: \(items[0])", "Client-Cert-Chain: \(items[1])", "Client-Cert: \(items[0])"])
    _ = gateway
  }
}
