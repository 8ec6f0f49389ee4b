import EventLoop
import Synchronization
import Testing

@testable import GatewayServer

/// What an upstream answers on real sockets, and what the client gets of it; the cases are in `Cases/responses.txt`.
@Suite(.serialized) struct ResponseHygieneTests {
  @Test("every response of the table is forwarded exactly, or answered 502 on a connection that is never used again",
    arguments: HygieneTable.responses)
  func responses(_ section: HygieneSection) throws {
    let upstream = try AnsweringUpstream()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    for entry in section.cases { try check(entry, section.method, gateway, upstream) }
  }

  private func check(
    _ entry: HygieneCase, _ method: String, _ gateway: Gateway, _ upstream: AnsweringUpstream
  ) throws {
    upstream.nextAnswer = entry.sent
    let client = try gateway.connect()
    client.send("\(method) /case HTTP/1.1\r\nHost: a\r\n\r\n")
    let expected: [UInt8]
    switch entry.outcome {
    case .forwardedAndKept, .forwarded:
      let received = client.read(entry.expected.count + entry.addedByteCount)
      #expect(received.map { latin1($0).undated } == latin1(entry.expected).undated, "\(entry.text)")
    case .forwardedLast:
      // The client is told that its connection ends with the body.
      let end = entry.expected.firstRange(of: Array("\r\n\r\n".utf8))!.lowerBound
      expected = entry.expected[..<end] + Array("\r\nConnection: close".utf8) + entry.expected[end...]
      #expect(client.readAll().undated == String(decoding: expected, as: UTF8.self), "\(entry.text)")
    case .truncated: #expect(client.endsWithReset(), "\(entry.text)")
    case .refused(let status):
      var head = client.readHead()
      while head?.hasPrefix("HTTP/1.1 1") == true { head = client.readHead() }
      #expect(head?.hasPrefix("HTTP/1.1 \(status) ") == true, "\(entry.text)")
      #expect(head?.contains("\r\nProxy-Status: postern; error=") == true, "\(entry.text)")
    case .denied, .forwardedThenRefused: preconditionFailure("no outcome of a response")
    }
    client.close()
    let other = try gateway.connect()
    other.send("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(other.readAll().hasSuffix("\r\n\r\nnext"), "\(entry.text)")
    let (ofCase, ofNext) = upstream.connections
    #expect((ofCase == ofNext) == (entry.outcome == .forwardedAndKept), "\(entry.text)")
  }
}

extension HygieneCase {
  /// Of the `Date` that the gateway adds where the final response has none.
  fileprivate var addedByteCount: Int {
    let heads = latin1(expected).split(separator: "\r\n\r\n")
    let final = heads.first { !$0.hasPrefix("HTTP/1.1 1") } ?? ""
    let hasDate = final.split(separator: "\r\n").contains { $0.lowercased().hasPrefix("date:") }
    return hasDate ? 0 : "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".utf8.count
  }
}

/// Answers `/case` as told and every other request well, and knows on which of its connections.
private final class AnsweringUpstream: Sendable {
  private struct State {
    var answer: [UInt8] = []
    var ofCase = -1
    var ofNext = -1
  }
  private final class Box: Sendable { let state = Mutex(State()) }

  private let upstream: ScriptedUpstream
  private let box: Box

  init() throws {
    let box = Box()
    self.box = box
    upstream = try ScriptedUpstream { connection, number in
      while let head = connection.readHead() {
        if head.contains(" /case ") {
          let answer = box.state.withLock { state in
            state.ofCase = number
            return state.answer
          }
          let closes = answer.ends(with: HygieneTable.closing)
          guard connection.send(closes ? answer.dropLast(HygieneTable.closing.count) : answer), !closes else { return }
        } else {
          box.state.withLock { $0.ofNext = number }
          guard connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext") else { return }
        }
      }
    }
  }

  var address: SocketAddress { upstream.address }

  var nextAnswer: [UInt8] {
    get { box.state.withLock { $0.answer } }
    set { box.state.withLock { $0.answer = newValue } }
  }

  var connections: (ofCase: Int, ofNext: Int) { box.state.withLock { ($0.ofCase, $0.ofNext) } }

  func stop() { upstream.stop() }
}
