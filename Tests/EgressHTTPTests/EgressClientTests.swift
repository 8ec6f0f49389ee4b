import Broker
import Cryptography
import EventLoop
import Foundation
import Synchronization
import Testing

@testable import EgressHTTP

@Suite(.timeLimit(.minutes(5)))
struct EgressClientTests {
  // MARK: Where it does not go

  @Test(
    "SSRF: hosts that are not public are refused without a connection",
    arguments: [
      "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::]", "0.0.0.0", "10.0.0.1", "172.16.0.1",
      "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
      "224.0.0.1", "255.255.255.255", "private.test", "metadata.test", "mixed.test", "mapped.test", "six.test",
    ])
  func privateHosts(host: String) async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    let names = [
      "private.test": ["127.0.0.1"], "metadata.test": ["169.254.169.254"], "mixed.test": ["8.8.8.8", "127.0.0.1"],
      "mapped.test": ["::ffff:127.0.0.1"], "six.test": ["2606:4700::1111", "::1"],
    ]
    try await Egress.run(names: names) { egress in
      #expect(await egress.post("http://\(host):\(server.port)/", local: false).failure == .refusedAddress)
    }
    #expect(server.connectionCount == 0)
  }

  @Test("SSRF: 'localhost', as the system resolves it, is refused")
  func localhost() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    try await Egress.run(resolver: SystemResolver()) { egress in
      #expect(await egress.post("http://localhost:\(server.port)/", local: false).failure == .refusedAddress)
      #expect(await egress.post("http://localhost:\(server.port)/").response?.status == 200)
    }
  }

  @Test("Metadata, multicast and reserved addresses stay refused where local ones are allowed", arguments: [
    "169.254.169.254", "[fe80::1]", "224.0.0.1", "0.0.0.0", "[::]", "[64:ff9b::7f00:1]", "metadata.test",
  ])
  func forbiddenHosts(host: String) async throws {
    try await Egress.run(names: ["metadata.test": ["127.0.0.1", "169.254.169.254"]]) { egress in
      #expect(await egress.post("http://\(host):1/").failure == .refusedAddress)
    }
  }

  @Test("A strict request does not ride on a connection that only a lenient one may open")
  func separateConnections() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    // 2d00::/8 is global unicast space that nobody has been given: the guard lets it pass, no packet gets anywhere.
    try await Egress.run(resolver: FickleResolver(answers: ["127.0.0.1", "2d00::1"])) { egress in
      let url = "http://provider.test:\(server.port)/"
      #expect(await egress.post(url).response?.status == 200)
      #expect(await egress.post(url, local: false, deadline: .milliseconds(300)).failure != nil)
    }
    #expect(server.requests.count == 1)
  }

  @Test("Plain http is refused unless the provider's development flag allows it")
  func plainHTTP() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    try await Egress.run { egress in
      #expect(await egress.post("http://provider.test:\(server.port)/", http: false).failure == .refusedAddress)
    }
    #expect(server.connectionCount == 0)
  }

  @Test("A redirect is answered, not followed", arguments: [301, 302, 303, 307, 308])
  func redirect(status: Int) async throws {
    let other = try ScriptedServer(.ok("{}"))
    let server = try ScriptedServer(
      .bytes("HTTP/1.1 \(status) Moved\r\nLocation: http://provider.test:\(other.port)/\r\nContent-Length: 0\r\n\r\n"))
    defer {
      server.stop()
      other.stop()
    }
    try await Egress.run { egress in
      #expect(await egress.post("http://provider.test:\(server.port)/").response?.status == status)
    }
    #expect(other.connectionCount == 0)
  }

  // MARK: What it does not wait for or take

  @Test("A peer that never answers ends with the deadline")
  func deadline() async throws {
    let server = try ScriptedServer(.silence)
    defer { server.stop() }
    try await Egress.run { egress in
      let result = await egress.post("http://provider.test:\(server.port)/", deadline: .milliseconds(100))
      #expect(result.failure == .timeout)
    }
  }

  @Test("The deadline covers a resolver that hangs, and its late answer is dropped")
  func slowResolver() async throws {
    let resolver = HangingResolver()
    try await Egress.run(resolver: resolver) { egress in
      #expect(await egress.post("http://provider.test:1/", deadline: .milliseconds(50)).failure == .timeout)
      resolver.go()
    }
  }

  @Test("An answer may be as large as the cap and no larger, whether its length is announced or not")
  func sizeCap() async throws {
    let chunk = "400\r\n" + String(repeating: "a", count: 1024) + "\r\n"
    let server = try ScriptedServer(
      .ok(String(repeating: "a", count: 5000)), .ok(String(repeating: "a", count: 5001)),
      .endless(start: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", then: chunk),
      .endless(start: "HTTP/1.1 200 OK\r\n", then: "X-Field: \(String(repeating: "a", count: 1000))\r\n"))
    defer { server.stop() }
    try await Egress.run { egress in
      let url = "http://provider.test:\(server.port)/"
      #expect(await egress.post(url, bodyByteCountMax: 5000).response?.body.count == 5000)
      for _ in 0..<3 { #expect(await egress.post(url, bodyByteCountMax: 5000).failure == .tooLarge) }
    }
  }

  @Test("What is not HTTP, or ends in the middle, is a protocol error", arguments: [
    "", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "HTTP/1.1 200 OK\r\nContent-Le",
  ])
  func brokenPeer(bytes: String) async throws {
    let server = try ScriptedServer(.last(bytes))
    defer { server.stop() }
    try await Egress.run { egress in
      #expect(await egress.post("http://provider.test:\(server.port)/").failure == .protocolError)
    }
  }

  @Test("Nobody listening, and a name that nobody knows")
  func unreachable() async throws {
    let (descriptor, port) = try ScriptedServer.bindLoopback()
    defer { close(descriptor) }
    try await Egress.run { egress in
      #expect(await egress.post("http://provider.test:\(port)/").failure == .connect)
      #expect(await egress.post("http://nobody.test/").failure == .resolution)
    }
  }

  @Test("More exchanges than the limit are refused; shutdown ends those under way and takes no more")
  func overload() async throws {
    let server = try ScriptedServer(.silence)
    defer { server.stop() }
    var limits = EgressLimits()
    limits.exchangeCountMax = 2
    try await Egress.run(limits: limits) { egress in
      let url = "http://provider.test:\(server.port)/"
      async let first = egress.post(url)
      async let second = egress.post(url)
      while server.requests.count < 2 { await Task.yield() }
      #expect(await egress.post(url).failure == .overloaded)
      await egress.client.shutdown()
      #expect(await [first.failure, second.failure] == [.overloaded, .overloaded])
      #expect(await egress.post(url).failure == .overloaded)
    }
  }

  @Test("A failure and a request describe themselves without secrets")
  func silence() async throws {
    let server = try ScriptedServer(.last("s3cret s3cret\r\n\r\n"))
    defer { server.stop() }
    try await Egress.run { egress in
      let result = await egress.post(
        "http://provider.test:\(server.port)/?s3cret", authorization: "Basic s3cret", form: "client_secret=s3cret")
      #expect(result.failure != nil)
      #expect(!String(reflecting: result).contains("s3cret"))
    }
    let answer = ProviderResponse(status: 200, body: Secret("s3cret"))
    #expect(!String(reflecting: answer).contains("s3cret"))
  }

  // MARK: What it does

  @Test("A form is posted as it is, with the authorization and nothing of the environment")
  func form() async throws {
    let server = try ScriptedServer(
      .bytes(
        "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
          + "HTTP/1.1 503 Busy\r\ncontent-type:  text/plain \r\nRETRY-AFTER: 7\r\nSet-Cookie: a=b\r\nContent-Length: 4\r\n\r\nbusy"))
    defer { server.stop() }
    try await Egress.run { egress in
      let url = "http://provider.test:\(server.port)/token?x=1"
      let response = try #require(await egress.post(url, authorization: "Basic eA==", form: "a=b&c=%00").response)
      #expect((response.status, response.contentType, response.retryAfter) == (503, "text/plain", "7"))
      #expect(response.body == Secret("busy"))
      _ = await egress.post(url)
    }
    let lines = server.requests[0].components(separatedBy: "\r\n")
    #expect(lines.first == "POST /token?x=1 HTTP/1.1")
    #expect(
      Set(lines.dropFirst().dropLast(2)) == [
        "Host: provider.test:\(server.port)", "User-Agent: postern", "Accept: application/json",
        "Content-Type: application/x-www-form-urlencoded", "Authorization: Basic eA==", "Content-Length: 9",
      ])
    #expect(lines.last == "a=b&c=%00")
    #expect(!server.requests[1].lowercased().contains("cookie"))
    #expect(!server.requests[1].contains("Authorization"))
  }

  @Test("One connection carries one exchange after another")
  func reuse() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    try await Egress.run { egress in
      for _ in 0..<5 { #expect(await egress.post("http://provider.test:\(server.port)/").response?.status == 200) }
    }
    #expect(server.connectionCount == 1)
    #expect(server.requests.count == 5)
  }

  @Test("An exchange runs on its caller's loop, which has connections of its own")
  func callersLoop() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    try await Egress.run { egress in
      let url = "http://provider.test:\(server.port)/"
      for loop in egress.loops {
        let stayed = await loop.task {
          let status = await egress.post(url).response?.status
          return status == 200 && loop.inLoop
        }.value
        #expect(stayed)
      }
      #expect(await egress.post(url).response?.status == 200)
    }
    #expect(server.connectionCount == 2)
  }

  @Test("Many exchanges at once share a bounded number of connections")
  func parallel() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    try await Egress.run { egress in
      await withTaskGroup(of: Int?.self) { group in
        for _ in 0..<100 {
          group.addTask { await egress.post("http://provider.test:\(server.port)/").response?.status }
        }
        for await status in group { #expect(status == 200) }
      }
    }
    #expect(server.connectionCount <= EgressLimits().connectionsPerHostMax)
  }
}

/// Blocks its thread until told.
private final class HangingResolver: NameResolver {
  private let isGoing = Mutex(false)
  func go() { isGoing.withLock { $0 = true } }
  func addresses(of host: String, port: UInt16) -> [SocketAddress] {
    while !isGoing.withLock({ $0 }) { sched_yield() }
    return [SocketAddress(literal: "127.0.0.1", port: port)!]
  }
}

/// Changes its mind, as the name server of a DNS rebinding attack does.
private final class FickleResolver: NameResolver {
  private let answers: Mutex<[String]>
  init(answers: [String]) { self.answers = Mutex(answers) }
  func addresses(of host: String, port: UInt16) -> [SocketAddress] {
    let literal = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    return [SocketAddress(literal: literal, port: port)!]
  }
}
