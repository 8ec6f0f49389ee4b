import EventLoop
import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

/// What a gateway must leave alone.
@Suite(.serialized) struct PassThroughTests {
  /// The answer of an upstream to one request, and what the upstream got.
  private func pass(_ request: String, answering response: [UInt8]) throws -> (answer: [UInt8], sent: String) {
    let upstream = try ScriptedUpstream { connection, _ in
      guard connection.readHead() != nil else { return }
      connection.send(response)
      _ = connection.readHead()
    }
    defer { upstream.stop() }
    let client = try Gateway.open(upstream.address).connect()
    client.send(request)
    _ = client.readAll()
    return (client.received, upstream.received[0])
  }

  @Test("RFC 9110 §14, §13.1.5: a range is asked for and answered as between the two ends")
  func ranges() throws {
    let fields = "Range: bytes=2-3\r\nIf-Range: \"v1\"\r\nIf-None-Match: W/\"a\", *\r\n"
    let (answer, sent) = try pass(
      "GET /file HTTP/1.1\r\nHost: a\r\n\(fields)Connection: close\r\n\r\n",
      answering: Array("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-3/9\r\nETag: \"v1\"\r\nContent-Length: 2\r\n\r\ncd".utf8))
    #expect(sent.hasPrefix("GET /file HTTP/1.1\r\n\(fields)Host: "))
    #expect(
      String(decoding: answer, as: UTF8.self).undated
        == "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-3/9\r\nETag: \"v1\"\r\nContent-Length: 2\r\nConnection: close\r\n\r\ncd")
  }

  @Test("RFC 9110 §14.6: several ranges in one body are not looked into")
  func multipart() throws {
    let body = "--x\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 99\r\n\r\na\r\n--x--\r\n"
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\nContent-Length: \(body.utf8.count)\r\n"
    let (answer, _) = try pass(
      "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,2-2\r\nConnection: close\r\n\r\n", answering: Array("\(head)\r\n\(body)".utf8))
    #expect(String(decoding: answer, as: UTF8.self).undated == "\(head)Connection: close\r\n\r\n\(body)")
  }

  @Test("RFC 9110 §8.4: coded content is neither decoded nor coded, whatever the client accepts")
  func contentCoding() throws {
    let head = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Encoding: gzip, br\r\nContent-Length: 512\r\n"
    let body = (0..<512).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let (answer, sent) = try pass(
      "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br;q=0.5, zstd\r\nConnection: close\r\n\r\n",
      answering: Array("\(head)\r\n".utf8) + body)
    #expect(sent.contains("\r\nAccept-Encoding: br;q=0.5, zstd\r\n"))
    #expect(answer == Array("\(head)Connection: close\r\n\r\n".utf8) + body)
  }

  @Test("RFC 9110 §6.5: trailers pass behind the body that announces them, towards the client")
  func responseTrailers() throws {
    let chunked = "Trailer: Digest, Grpc-Status\r\nTransfer-Encoding: chunked\r\n"
    let body = "2\r\nok\r\n0\r\nDigest: sha-256=x\r\nGrpc-Status: 0\r\n\r\n"
    let (answer, _) = try pass(
      "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n",
      answering: Array("HTTP/1.1 200 OK\r\n\(chunked)\r\n\(body)".utf8))
    #expect(String(decoding: answer, as: UTF8.self).undated == "HTTP/1.1 200 OK\r\n\(chunked)Connection: close\r\n\r\n\(body)")
  }

  @Test("RFC 9110 §6.5: trailers pass behind the body that announces them, towards the upstream")
  func requestTrailers() throws {
    let body = "2\r\nok\r\n0\r\nDigest: sha-256=x\r\n\r\n"
    let (_, sent) = try pass(
      "POST / HTTP/1.1\r\nHost: a\r\nTrailer: Digest\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\(body)",
      answering: Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8))
    #expect(sent.hasPrefix("POST / HTTP/1.1\r\nTrailer: Digest\r\nTransfer-Encoding: chunked\r\nHost: "))
    #expect(sent.hasSuffix("\r\n\r\n\(body)"))
  }

  @Test("RFC 9110 §10.1.1: a refusal of the expectation passes, and the body is never asked for")
  func refusedExpectation() throws {
    let (answer, sent) = try pass(
      "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
      answering: Array("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".utf8))
    // The body may still come, and could be taken for a request: the connection ends.
    #expect(String(decoding: answer, as: UTF8.self).undated == "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
    #expect(sent.hasSuffix("\r\n\r\n"))
  }

  @Test("RFC 9112 §6.3: an answer before the end of the request body passes, and both connections end with it")
  func earlyAnswer() throws {
    let upstream = try ScriptedUpstream { connection, number in
      guard connection.readHead() != nil else { return }
      connection.send("HTTP/1.1 \(number == 0 ? "413 Content Too Large" : "200 OK")\r\nContent-Length: 0\r\n\r\n")
      _ = connection.readAll()
    }
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    let client = try gateway.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
    #expect(client.readAll().undated == "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    #expect(try gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
    #expect(upstream.connectionCount == 2)
  }

  @Test("a response head may be as large as configured, and no larger", arguments: [(4000, 200), (4096, 502)])
  func responseFields(_ size: Int, _ status: Int) throws {
    let upstream = try ScriptedUpstream(
      answering: "HTTP/1.1 200 OK\r\nX: \(String(repeating: "y", count: size))\r\nContent-Length: 0\r\n\r\n")
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.request.responseFieldBytesMax = 4096
    let answer = try Gateway.open(upstream.address, limits: limits).exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
    #expect(answer.contains("error=http_response_header_section_size") == (status == 502))
  }

  @Test("a request head may be as large as configured, and no larger, however slowly it comes", arguments: [
    ("X: \(String(repeating: "y", count: 200))\r\n", 431), (String(repeating: "X: y\r\n", count: 21), 431), ("", 200),
  ])
  func requestFields(_ lines: String, _ status: Int) throws {
    let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    defer { upstream.stop() }
    var limits = EngineLimits()
    limits.request.fieldBytesMax = 180
    limits.request.fieldCountMax = 20
    limits.request.requestLineBytesMax = 64
    let gateway = try Gateway.open(upstream.address, limits: limits)
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(lines)\r\n"
    for step in [1, request.utf8.count] {
      let client = try gateway.connect()
      let bytes = Array(request.utf8)
      for start in stride(from: 0, to: bytes.count, by: step) {
        guard client.send(Array(bytes[start..<min(start + step, bytes.count)])) else { break }
      }
      #expect(client.readHead()?.hasPrefix("HTTP/1.1 \(status) ") == true)
    }
    #expect(try gateway.exchange("GET /\(String(repeating: "a", count: 64)) HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 414 "))
  }
}
