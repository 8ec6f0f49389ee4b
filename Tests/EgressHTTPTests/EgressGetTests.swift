import Broker
import Cryptography
import Foundation
import Testing

@testable import EgressHTTP

/// What is read rather than asked for with a form: metadata, keys, resources.
@Suite(.timeLimit(.minutes(5)))
struct EgressGetTests {
  @Test("A GET passes the same address guard and scheme rule as a form")
  func guarded() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    try await Egress.run { egress in
      let url = "http://provider.test:\(server.port)/"
      #expect(await egress.get(url, local: false).failure == .refusedAddress)
      #expect(await egress.get(url, http: false).failure == .refusedAddress)
    }
    #expect(server.connectionCount == 0)
  }

  @Test("A GET follows no redirect and takes no more than its cap", arguments: [301, 302, 303, 307, 308])
  func bounded(status: Int) async throws {
    let other = try ScriptedServer(.ok("{}"))
    let server = try ScriptedServer(
      .bytes("HTTP/1.1 \(status) Moved\r\nLocation: http://provider.test:\(other.port)/\r\nContent-Length: 0\r\n\r\n"),
      .ok("12345"))
    defer {
      server.stop()
      other.stop()
    }
    try await Egress.run { egress in
      let url = "http://provider.test:\(server.port)/"
      #expect(await egress.get(url).response?.status == status)
      #expect(await egress.get(url, bodyByteCountMax: 4).failure == .tooLarge)
    }
    #expect(other.connectionCount == 0)
  }

  @Test("A GET carries its authorization, no body and no media type, also after a form on the same connection")
  func fields() async throws {
    let server = try ScriptedServer(.ok("{}"))
    defer { server.stop() }
    try await Egress.run { egress in
      let url = "http://provider.test:\(server.port)/photos?page=1"
      #expect(await egress.post(url, authorization: "Basic eA==").response?.status == 200)
      #expect(await egress.get(url, authorization: "Bearer x").response?.body == Secret("{}"))
    }
    #expect(server.connectionCount == 1)
    let lines = server.requests[1].components(separatedBy: "\r\n")
    #expect(lines.first == "GET /photos?page=1 HTTP/1.1")
    #expect(
      Set(lines.dropFirst().dropLast(2)) == [
        "Host: provider.test:\(server.port)", "User-Agent: postern", "Accept: application/json", "Authorization: Bearer x",
      ])
    #expect(lines.last == "")
  }
}
