import Testing

@testable import GatewayServer

private let sentinel = Array("GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)

/// Bytes on real sockets, and what becomes of them; the cases are in `Cases`.
@Suite(.serialized) struct HygieneTests {
  @Test("every request of the tables is forwarded exactly, or refused as a whole", arguments: HygieneTable.requests)
  func requests(_ section: HygieneSection) throws {
    let upstream = try RecordingUpstream()
    defer { upstream.stop() }
    let gateway = try Gateway.open(upstream.address)
    for entry in section.cases { try check(entry, gateway, upstream) }
  }

  private func check(_ entry: HygieneCase, _ gateway: Gateway, _ upstream: RecordingUpstream) throws {
    let client = try gateway.connect()
    client.send(entry.sent + sentinel)
    let answers = Answers(client, isHead: entry.sent.starts(with: Array("HEAD ".utf8)))
    let statuses = answers.statuses
    // Answered last, so everything that was sent to the upstream before has arrived there.
    _ = try gateway.exchange(String(decoding: sentinel, as: UTF8.self))
    let messages = upstream.takeMessages().dropLast()
    let complete = messages.filter(\.isComplete).map { Forwarded($0.bytes, to: upstream) }
    let isSentinelForwarded = complete.last?.carried == Array("GET /sentinel HTTP/1.1\r\n\r\n".utf8)
    let forwarded = isSentinelForwarded ? complete.dropLast() : complete[...]

    switch entry.outcome {
    case .forwarded, .forwardedAndKept: #expect(statuses == [200, 200] && isSentinelForwarded, "\(entry.text)")
    case .forwardedLast: #expect(statuses == [200] && !isSentinelForwarded, "\(entry.text)")
    case .forwardedThenRefused: #expect(statuses == [200, 400] && !isSentinelForwarded, "\(entry.text)")
    case .refused(let status):
      #expect(statuses == [status] && answers.saysClose && !isSentinelForwarded && forwarded.isEmpty, "\(entry.text)")
      return
    case .denied(let status):
      #expect(statuses == [status, 200] && isSentinelForwarded && forwarded.isEmpty, "\(entry.text)")
      return
    case .truncated: preconditionFailure("no outcome of a request")
    }
    #expect(answers.endsCleanly, "\(entry.text)")
    #expect(messages.count == complete.count, "\(entry.text)")
    #expect(forwarded.map { latin1($0.carried) } == [latin1(entry.expected)], "\(entry.text)")
    #expect(forwarded.first?.ownNames == Forwarded.expectedOwnNames(hasHost: forwarded.first?.hasHost ?? true), "\(entry.text)")
  }
}

/// What the upstream got, parted into what was carried and what Postern has added.
private struct Forwarded {
  /// Without Postern's own field lines.
  let carried: [UInt8]
  let ownNames: [String]

  init(_ bytes: [UInt8], to upstream: RecordingUpstream) {
    let start = Array("\r\nHost: \(upstream.address)\r\n".utf8)
    guard let own = bytes.firstRange(of: start),
      let end = bytes[own.lowerBound...].firstRange(of: Array("\r\n\r\n".utf8))
    else {
      carried = bytes
      ownNames = []
      return
    }
    carried = Array(bytes[..<own.lowerBound] + bytes[end.lowerBound...])
    ownNames = latin1(Array(bytes[own.lowerBound..<end.lowerBound])).split(separator: "\r\n")
      .map { String($0.prefix { $0 != ":" }) }
  }

  var hasHost: Bool { ownNames.contains("X-Forwarded-Host") }

  static func expectedOwnNames(hasHost: Bool) -> [String] {
    ["Host", "X-Forwarded-For", "X-Forwarded-Proto"] + (hasHost ? ["X-Forwarded-Host"] : []) + ["X-Request-Id"]
  }
}

/// Everything that came back on a connection until its end.
struct Answers {
  private(set) var statuses: [Int] = []
  /// Whether the last response announces the end of the connection.
  private(set) var saysClose = false
  /// Whether nothing follows the last response that is none.
  private(set) var endsCleanly = true

  init(_ connection: RawConnection, isHead: Bool) {
    while let head = connection.readHead() {
      guard head.hasPrefix("HTTP/1.1 "), let status = Int(head.dropFirst(9).prefix(3)) else {
        endsCleanly = false
        return
      }
      statuses.append(status)
      saysClose = head.contains("\r\nConnection: close\r\n")
      let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
        .flatMap { Int($0.dropFirst(16)) } ?? 0
      guard isHead && statuses.count == 1 || connection.read(length) != nil else {
        endsCleanly = false
        return
      }
    }
    endsCleanly = connection.pending.isEmpty
  }
}

/// One character per byte.
func latin1(_ bytes: [UInt8]) -> String {
  var text = String.UnicodeScalarView()
  for byte in bytes { text.append(Unicode.Scalar(byte)) }
  return String(text)
}
