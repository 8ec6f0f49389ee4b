import EventLoop
import HTTPWire
import OAuthCore

/// One JSON line per request, gathered per loop and handed over when the buffer is full or once a second.
///
/// Holds the path without its query, since queries carry codes and tokens.
public struct AccessLog: ~Copyable {
  /// Takes whole lines, on the loop of any engine; must not wait for whoever reads them.
  public typealias Sink = @Sendable (_ lines: [UInt8]) -> Void

  /// Bytes gathered before they are handed over.
  private static let bufferBytes = 64 << 10

  private let sink: Sink
  private var buffer: ByteQueue

  init(sink: @escaping Sink, pool: BufferPool) {
    self.sink = sink
    buffer = ByteQueue(pool: pool)
    buffer.reserve(AccessLog.bufferBytes)
  }

  /// The part of a line that the request's head decides, kept until the response is done.
  static func begin(
    _ line: inout ByteQueue, id: RequestID, at now: Timestamp, _ clock: inout LogClock, client: [UInt8],
    method: Span<UInt8>, path: Span<UInt8>
  ) {
    line.clearKeepingMemory()
    line.append("{\"time\":\"")
    clock.append(now, to: &line)
    line.append("\",\"level\":\"info\",\"event\":\"request\",\"request_id\":\"")
    id.append(to: &line)
    line.append("\",\"client\":\"")
    line.append(client)
    line.append("\",\"method\":\"")
    line.append(method)
    line.append("\",\"path\":\"")
    line.append(jsonText: path)
    line.append("\"")
  }

  mutating func finish(
    _ line: inout ByteQueue, status: Int, route: String?, responseBytes: UInt64, microseconds: Int64
  ) {
    if let route {
      line.append(",\"route\":\"")
      var route = route
      route.withUTF8 { line.append(jsonText: $0.span) }
      line.append("\"")
    }
    line.append(",\"status\":")
    line.append(decimal: status)
    line.append(",\"response_bytes\":")
    line.append(decimal: Int(clamping: responseBytes))
    line.append(",\"duration_us\":")
    line.append(decimal: Int(max(0, microseconds)))
    line.append("}\n")
    if buffer.count + line.count > AccessLog.bufferBytes { flush() }
    buffer.append(line.readable)
    line.clear()
  }

  /// What a WebSocket's client has sent.
  static func append(requestBytes count: UInt64, to line: inout ByteQueue) {
    line.append(",\"request_bytes\":")
    line.append(decimal: Int(clamping: count))
  }

  static func append(ending: StreamEnding, to line: inout ByteQueue) {
    line.append(",\"ended\":\"")
    line.append(ending.name)
    line.append("\"")
  }

  /// Hands over what was gathered.
  mutating func flush() {
    guard !buffer.isEmpty else { return }
    sink(Array(buffer.readable))
    buffer.clearKeepingMemory()
  }
}

extension ByteQueue {
  /// Text within a JSON string. Source: RFC 8259 §7.
  fileprivate mutating func append(jsonText text: Span<UInt8>) {
    for index in 0..<text.count {
      let byte = text[index]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { append(UInt8(ascii: "\\")) }
      append(byte < 0x20 ? UInt8(ascii: "?") : byte)
    }
  }
}
