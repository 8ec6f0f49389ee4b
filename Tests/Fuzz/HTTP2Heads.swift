@testable import HTTPWire

/// Field lists of HTTP/2, one field a line and a colon behind the name, on their way to heads of HTTP/1.1.
enum HTTP2Heads {
  /// A request's fields become one head, which is read as a whole or refused by the rules of HTTP/1.1.
  static func requestDisagreement(_ bytes: [UInt8]) -> String? {
    guard let first = bytes.first else { return nil }
    var head = HTTP2RequestHead(fieldBytesMax: 4096)
    let endsStream = first & 1 == 0
    do throws(HTTP2ErrorCode) {
      for (name, value) in fields(bytes.dropFirst()) { try head.take(name: name.span, value: value.span) }
      let framing = try head.finish(endsStream: endsStream, webSocketKey: { "AAAAAAAAAAAAAAAAAAAAAA==" })
      if endsStream, framing != .none { return "content behind the end: \(head.bytes)" }
    } catch {
      return nil
    }
    var scanner = RequestScanner()
    guard let isWhole = try? scanner.scan(head.bytes.span) else { return nil }
    return isWhole && scanner.head.byteCount == head.bytes.count ? nil : "more or less than one head: \(head.bytes)"
  }

  /// The same of a response; none but what opens a WebSocket switches protocols, and that proves itself.
  static func responseDisagreement(_ bytes: [UInt8]) -> String? {
    guard let first = bytes.first else { return nil }
    let accept = first & 1 == 0 ? nil : Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8)
    let answersHead = first & 2 != 0
    var head = HTTP2ResponseHead(fieldBytesMax: 4096)
    head.reset(webSocketAccept: accept)
    let framing: HTTP2Framing
    do throws(HTTP2ErrorCode) {
      for (name, value) in fields(bytes.dropFirst()) { try head.take(name: name.span, value: value.span) }
      framing = try head.finish(answersHead: answersHead, endsStream: first & 4 != 0)
    } catch {
      return nil
    }
    var scanner = ResponseScanner()
    guard let isWhole = try? scanner.scan(head.bytes.span, answering: answersHead ? .head : .get) else { return nil }
    guard isWhole, scanner.head.byteCount == head.bytes.count else { return "more or less than one head: \(head.bytes)" }
    let isSwitch = scanner.head.status == 101
    guard isSwitch == (framing == .tunnel) else { return "a switch that is none: \(head.bytes)" }
    guard isSwitch, let accept else { return isSwitch ? "a switch that nobody asked for: \(head.bytes)" : nil }
    return WebSocketHandshake.isAccepted(by: scanner.head, head.bytes.span, accept: accept) ? nil : "an unproven switch: \(head.bytes)"
  }

  private static func fields(_ bytes: some Sequence<UInt8>) -> [(name: [UInt8], value: [UInt8])] {
    Array(bytes).split(separator: 0x0a, omittingEmptySubsequences: true).map { line in
      // A pseudo-field begins with a colon itself.
      let end = line.dropFirst().firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
      return (Array(line[..<end]), Array(line[end...].dropFirst()))
    }
  }
}
