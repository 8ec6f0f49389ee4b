import EventLoop
import Glibc
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Answers with as many bytes as a large page has.
private struct Page: Endpoint {
  static let byteCount = 32 << 10

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(status: 200, body: [UInt8](repeating: 7, count: Page.byteCount))
  }
}

/// What one client may take from the others.
@Suite(.serialized) struct FairnessTests {
  // More answers than all socket buffers hold: those grow to some megabytes at most.
  @Test(
    "a client that sends requests and takes no answers is not listened to until it does",
    arguments: [("/account", 1 << 10), ("/none", 64 << 10)])
  func unreadPipelining(_ path: String, _ requests: Int) throws {
    var endpoints = EndpointTable()
    endpoints.add("/account", Page())
    let gateway = try Gateway([], upstreams: [:], endpoints: endpoints)
    let client = try gateway.connect()
    let request = "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
    let taken = Semaphore()
    onThread {
      client.send(String(repeating: request, count: requests))
      client.endSending()
      taken.signal()
    }
    waitUntil { gateway.onEngine { $0.waitingBytes } > EngineLimits().highWatermark }
    // Turns enough to take everything, were it taken.
    var most = 0
    for _ in 0..<2_000 { most = max(most, gateway.onEngine { $0.waitingBytes }) }
    #expect(most <= EngineLimits().highWatermark + Page.byteCount + (128 << 10))
    var answers = 0
    while answers < requests, client.readMessage() != nil { answers += 1 }
    #expect(answers == requests)
    taken.wait()
  }
}
