import EventLoop
import Testing

@testable import GatewayServer

@Suite(.serialized) struct DateTests {
  private func dates(answering response: String, to request: String = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") throws -> [String] {
    let upstream = try ScriptedUpstream(answering: response)
    defer { upstream.stop() }
    let answer = try Gateway.open(upstream.address).exchange(request)
    return answer.split(separator: "\r\n").filter { $0.lowercased().hasPrefix("date:") }.map(String.init)
  }

  @Test("RFC 9110 §6.6.1: a response that comes without a date is forwarded with the time it came", arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 x\r\nX-Date: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 304 x\r\nLast-Modified: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\n", "HTTP/1.1 200 OK\r\nDat: x\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nDate: x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
  ])
  func missing(response: String) throws {
    let dates = try dates(answering: response)
    let own = dates.filter { $0 != "Date: x" }
    #expect(own.count == 1)
    #expect(own.first?.wholeMatch(of: /Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/) != nil)
  }

  @Test("RFC 9110 §6.6.1: the date that a response has is its own, whatever its case and value", arguments: ["Date: x", "date: Tue, 15 Nov 1994 08:12:31 GMT", "DATE:"])
  func present(line: String) throws {
    #expect(try dates(answering: "HTTP/1.1 200 OK\r\n\(line)\r\nContent-Length: 0\r\n\r\n") == [line])
  }

  @Test("RFC 9110 §7.6.1: a date that belonged to the upstream's connection only is no date")
  func nominated() throws {
    let dates = try dates(answering: "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: date\r\nContent-Length: 0\r\n\r\n")
    #expect(dates.count == 1 && dates != ["Date: x"])
  }
}
