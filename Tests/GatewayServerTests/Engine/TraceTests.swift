import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy
import Synchronization
import Testing

@testable import GatewayServer

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let trace = "0af7651916cd43dd8448eb211c80319c"
private let parent = "b7ad6b7169203331"

@Suite(.serialized) struct TraceTests {
  /// What the upstream and the log are told about a request with these field lines.
  private func pass(_ lines: String) throws -> (sent: [String], log: String) {
    final class Log: Sendable { let lines = Mutex("") }
    let log = Log()
    let upstream = try ScriptedUpstream(answering: ok)
    defer { upstream.stop() }
    let gateway = try Gateway([.everything()], upstreams: ["up": [upstream.address]]) { bytes in
      log.lines.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
    }
    let answer = try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(lines)\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 200 "))
    gateway.onEngine { engine in engine.drain(within: .zero) {} }
    waitUntil { log.lines.withLock { !$0.isEmpty } }
    let sent = upstream.received[0].split(separator: "\r\n").map(String.init)
    return (sent.filter { $0.lowercased().hasPrefix("trace") }, log.lines.withLock { $0 })
  }

  @Test("Trace Context §4.3: a trace goes on under a parent of Postern's, its state and flags with it", arguments: [
    ("00-\(trace)-\(parent)-01", "01"), ("00-\(trace)-\(parent)-00", "00"), ("cc-\(trace)-\(parent)-01", "01"),
    ("cc-\(trace)-\(parent)-01-what-the-future-will-be", "01"),
  ])
  func continued(value: String, flags: String) throws {
    let (sent, log) = try pass("tracestate: a=b,c=d\r\ntraceparent: \(value)\r\ntracestate: e=f\r\n")
    #expect(sent.filter { $0.hasPrefix("tracestate") } == ["tracestate: a=b,c=d", "tracestate: e=f"])
    let own = try #require(sent.first { $0.hasPrefix("traceparent: ") })
    #expect(own.hasPrefix("traceparent: 00-\(trace)-") && own.hasSuffix("-\(flags)") && own.utf8.count == 68)
    #expect(!own.contains(parent))
    let span = own.dropLast(3).suffix(16)
    #expect(log.contains("\"trace_id\":\"\(trace)\",\"span_id\":\"\(span)\""))
  }

  @Test("Trace Context §3.2.2, §4.3: a trace that cannot be read is begun anew, without the state of the old", arguments: [
    "", "00", "00-\(trace)-\(parent)", "00-\(trace)-\(parent)-1", "00-\(trace)-\(parent)-01-x", "00-\(trace)-\(parent)-01-",
    "ff-\(trace)-\(parent)-01", "cc-\(trace)-\(parent)-01x", "00-\(trace.uppercased())-\(parent)-01",
    "00-\(trace)-\(parent.uppercased())-01", "0X-\(trace)-\(parent)-01", "00-\(trace)-\(parent)-0g",
    "00-00000000000000000000000000000000-\(parent)-01", "00-\(trace)-0000000000000000-01", "00_\(trace)_\(parent)_01",
    "00-\(trace)\(parent)--01", "00-\(trace)-\(parent)-01\r\ntraceparent: 00-\(trace)-\(parent)-01",
  ])
  func restarted(value: String) throws {
    let (sent, log) = try pass("tracestate: a=b\r\ntraceparent: \(value)\r\nCookie: a=b\r\n")
    #expect(sent.count == 1)
    let own = try #require(sent.first)
    #expect(own.hasPrefix("traceparent: 00-") && own.hasSuffix("-00") && own.utf8.count == 68 && !own.contains(trace))
    let identifier = own.dropFirst(16).prefix(32)
    #expect(log.contains("\"request_id\":\"\(identifier)\"") && log.contains("\"trace_id\":\"\(identifier)\""))
  }

  @Test("a request without a trace gets none, and what is only like a trace is left alone")
  func absent() throws {
    let (sent, log) = try pass("tracestate: a=b\r\ntrace-parent: x\r\ntrace_parent: y\r\n")
    #expect(sent == ["tracestate: a=b", "trace-parent: x", "trace_parent: y"])
    #expect(!log.contains("trace_id"))
  }

  @Test("a log line has time and level as every other line of the log")
  func logLine() throws {
    let line = try pass("").log
    #expect(line.prefixMatch(of: #/\{"time":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ","level":"info","event":"request","request_id":"/#) != nil, "\(line)")
  }

  @Test("RFC 3339 §5.6: the time of a log line is exact to the millisecond", arguments: [
    (951_826_209_007_999, "2000-02-29T12:10:09.007Z"), (1_798_761_599_999_000, "2026-12-31T23:59:59.999Z"),
    (1_798_761_600_000_000, "2027-01-01T00:00:00.000Z"),
  ])
  func clock(microseconds: Int64, text: String) {
    var clock = LogClock()
    var line = ByteQueue(pool: BufferPool())
    for _ in 0..<2 { clock.append(Timestamp(microseconds: microseconds), to: &line) }
    #expect(String(decoding: line.readable, as: UTF8.self) == text + text)
  }
}
