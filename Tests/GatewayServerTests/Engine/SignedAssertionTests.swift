import Cryptography
import HTTPWire
import OAuthCore
import PosternTesting
import ReverseProxy
import Testing

@testable import GatewayServer

@Suite("Routes with kind: signed_assertion", .timeLimit(.minutes(1)))
struct SignedAssertionTests {
  private static let audience = "https://api.example"
  private let keys: SigningKeys
  private let upstream: ScriptedUpstream
  private let gateway: Gateway

  init() async throws {
    let ring = try KeyRing(active: "k1", keys: [("k1", Secret(bytes: Array(0..<32)))])
    keys = try await SigningKeys.load(from: InMemorySigningKeyStore(), ring: ring, at: Timestamp(seconds: 1_700_000_000))
    upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    let verifier = ScriptedVerifier()
    for subject in ["alice", "bob"] { verifier.add("pat_\(subject)", subject: subject) }
    let route = Route.everything(
      access: AccessPolicy(requiredScopes: ["read"]),
      credential: .signedAssertion(SignedAssertionRule(audience: Self.audience, lifetime: .seconds(300))))
    gateway = try Gateway(
      [route], upstreams: ["up": [upstream.address]], verifier: verifier,
      assertions: IdentityAssertions(issuer: "https://auth.example.com", signingKeys: keys))
  }

  /// The assertions that the upstream has got.
  private var assertions: [String] {
    upstream.received.joined().split(separator: "\r\n").filter { $0.hasPrefix("X-Postern-Assertion: ") }.map { String($0.dropFirst(21)) }
  }

  private func call(_ subject: String, _ fields: String = "") throws {
    let client = try gateway.connect()
    client.send("GET / HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer pat_\(subject)\r\n\(fields)\r\n")
    #expect(client.readMessage()?.head.hasPrefix("HTTP/1.1 200 ") == true)
  }

  private func verify(_ token: String, type: String = IdentityAssertions.type, audience: String = audience) throws -> JWT {
    let expectation = JWTExpectation(type: type, issuer: "https://auth.example.com", audiences: [audience])
    let now = gateway.onEngine { $0.wallNow.seconds }
    return try JWT.verify(token, with: VerificationKeySet(keys.published), expecting: expectation, now: now)
  }

  @Test("the upstream learns who asks, in a short statement that it verifies by Postern's published keys")
  func statement() throws {
    defer { upstream.stop() }
    try call("alice")
    let jwt = try verify(try #require(assertions.first))
    let header = assertions[0].split(separator: ".")[0]
    #expect(Base64URL.decode(String(header)).map { String(decoding: $0, as: UTF8.self) }?.contains(#""alg":"ES256""#) == true)
    #expect(jwt.claims["sub"] == "alice" && jwt.claims["aud"] == .string(Self.audience))
    let issuedAt = try #require(jwt.claims["iat"]?.integer)
    #expect(jwt.claims["exp"] == .integer(issuedAt + 300))
    // Postern's own token stays here.
    #expect(!upstream.received.joined().contains("pat_alice"))
  }

  @Test("RFC 8725 §3.11, §3.9: it passes neither for an access token nor for somebody else's upstream")
  func confusion() throws {
    defer { upstream.stop() }
    try call("alice")
    let token = try #require(assertions.first)
    #expect(throws: JWTError.wrongType) { try verify(token, type: "at+jwt") }
    #expect(throws: JWTError.wrongAudience) { try verify(token, audience: "https://auth.example.com") }
  }

  @Test("it is signed once for each subject, and again when half of its life is over")
  func cached() throws {
    defer { upstream.stop() }
    for subject in ["alice", "bob", "alice", "bob"] { try call(subject) }
    let sent = assertions
    #expect(sent.count == 4 && sent[0] == sent[2] && sent[1] == sent[3] && sent[0] != sent[1])
    let held = LoopAssertions(
      SignedAssertionRule(audience: Self.audience, lifetime: .seconds(300)),
      assertions: IdentityAssertions(issuer: "https://auth.example.com", signingKeys: keys), capacity: 2)
    let now = Timestamp(seconds: 1_700_000_000)
    let first = held.line(for: Subject("alice"), at: now)
    #expect(held.line(for: Subject("alice"), at: now + .seconds(149)) == first)
    #expect(held.line(for: Subject("alice"), at: now + .seconds(150)) != first)
  }

  @Test("what the caller writes there is not passed on, however spelled", arguments: [
    "X-Postern-Assertion: forged\r\n", "x_postern_assertion: forged\r\n", "X-POSTERN-ASSERTION: forged\r\n",
  ])
  func forged(_ field: String) throws {
    defer { upstream.stop() }
    try call("alice", field)
    #expect(!upstream.received.joined().contains("forged"))
    #expect(assertions.count == 1)
  }
}
