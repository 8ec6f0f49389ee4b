/// The head of one response of HTTP/2, field by field, on its way to the bytes of an HTTP/1.1 head; see `HTTP2RequestHead`.
public struct HTTP2ResponseHead: Sendable {
  private let fieldBytesMax: Int
  private var status: [UInt8] = []
  private var lines: [UInt8] = []
  private var contentLength: UInt64?
  private var hasRegular = false
  private var listBytes = 0
  private var webSocketAccept: [UInt8]?

  /// The whole HTTP/1.1 head, once `finish` has written it.
  public private(set) var bytes: [UInt8] = []

  /// - Parameter fieldBytesMax: of the head that is written. A longer one is cut behind the limit, where the scanner
  ///   refuses it as too large.
  public init(fieldBytesMax: Int) { self.fieldBytesMax = fieldBytesMax }

  /// Makes ready for the next response.
  ///
  /// - Parameter webSocketAccept: where the request was an extended CONNECT to a WebSocket, what the 101 that stands for a
  ///   2xx has to prove to the client of HTTP/1.1. Source: RFC 8441 §5; RFC 6455 §4.2.2.
  public mutating func reset(webSocketAccept: [UInt8]? = nil) {
    self.webSocketAccept = webSocketAccept
    status.removeAll(keepingCapacity: true)
    lines.removeAll(keepingCapacity: true)
    contentLength = nil
    hasRegular = false
    listBytes = 0
  }

  /// Takes the next field.
  ///
  /// - Throws: the response is malformed, or `enhanceYourCalm` when the connection is to be ended.
  public mutating func take(name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    try HTTP2FieldRules.count(name, value, in: &listBytes, limit: fieldBytesMax)
    guard HTTP2FieldRules.isValue(value) else { throw .protocolError }
    let range = ByteRange(0, name.count)
    if name.count > 0, name[0] == UInt8(ascii: ":") {
      // Source: RFC 9113 §8.3.2.
      guard !hasRegular, status.isEmpty, name.equalsIgnoringCase(":status", range), value.count == 3 else { throw .protocolError }
      value.withUnsafeBufferPointer { status.append(contentsOf: $0) }
      return
    }
    hasRegular = true
    guard HTTP2FieldRules.isName(name), !HTTP2FieldRules.isConnectionSpecific(name) else { throw .protocolError }
    if name.equalsIgnoringCase("content-length", range) {
      guard contentLength == nil, let length = value.contentLength(ByteRange(0, value.count)) else { throw .protocolError }
      contentLength = length
    }
    if opensTunnel, name.equalsIgnoringCase("content-length", range) || name.equalsIgnoringCase("sec-websocket-accept", range) {
      // Source: RFC 9110 §9.3.6: no content, whatever is declared; RFC 8441 §5: no proof either.
      return
    }
    guard lines.count <= fieldBytesMax else { return }
    HTTP2FieldRules.append(name, value, to: &lines)
  }

  /// `1xx`: the response is still to come.
  public var isInterim: Bool { status.first == UInt8(ascii: "1") }

  /// Whether the stream is a WebSocket from here on: any 2xx says so. Source: RFC 8441 §5; RFC 9110 §9.3.6.
  public var opensTunnel: Bool { webSocketAccept != nil && status.first == UInt8(ascii: "2") }

  /// Of a head that is finished.
  public var statusCode: Int { status.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } }

  /// Writes the head into `bytes`.
  ///
  /// - Parameters:
  ///   - answersHead: whether the request was HEAD, whose answer declares content that does not come.
  ///   - endsStream: nothing follows the head.
  public mutating func finish(answersHead: Bool, endsStream: Bool) throws(HTTP2ErrorCode) -> HTTP2Framing {
    guard status.count == 3, status.allSatisfy(ByteClass.isDigit) else { throw .protocolError }
    // Source: RFC 9113 §8.6: there is no switch of protocols; §8.1: an interim response ends nothing.
    guard !status.elementsEqual("101".utf8), !(isInterim && endsStream) else { throw .protocolError }
    if opensTunnel, let webSocketAccept { return switchProtocols(webSocketAccept) }
    let isBodiless = answersHead || isInterim || status.elementsEqual("204".utf8) || status.elementsEqual("304".utf8)
    let framing: HTTP2Framing
    if isBodiless {
      framing = .none
    } else if endsStream {
      // Source: RFC 9113 §8.1.1.
      guard contentLength ?? 0 == 0 else { throw .protocolError }
      framing = .none
    } else {
      framing = contentLength.map { .length($0) } ?? .chunked
    }
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: "HTTP/1.1 ".utf8)
    bytes.append(contentsOf: status)
    bytes.append(contentsOf: " \r\n".utf8)
    bytes.append(contentsOf: lines)
    if !isBodiless, endsStream, contentLength == nil { bytes.append(contentsOf: "content-length: 0\r\n".utf8) }
    if framing == .chunked { bytes.append(contentsOf: "transfer-encoding: chunked\r\n".utf8) }
    bytes.append(contentsOf: "\r\n".utf8)
    return framing
  }

  private mutating func switchProtocols(_ accept: [UInt8]) -> HTTP2Framing {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n".utf8)
    bytes.append(contentsOf: "sec-websocket-accept: ".utf8)
    bytes.append(contentsOf: accept)
    bytes.append(contentsOf: "\r\n".utf8)
    bytes.append(contentsOf: lines)
    bytes.append(contentsOf: "\r\n".utf8)
    return .tunnel
  }
}
