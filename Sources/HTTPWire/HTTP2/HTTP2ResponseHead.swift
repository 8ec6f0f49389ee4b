/// The head of one response of HTTP/2, field by field, on its way to the bytes of an HTTP/1.1 head; see `HTTP2RequestHead`.
public struct HTTP2ResponseHead: Sendable {
  private let fieldBytesMax: Int
  private var status: [UInt8] = []
  private var lines: [UInt8] = []
  private var contentLength: UInt64?
  private var hasRegular = false
  private var listBytes = 0

  /// The whole HTTP/1.1 head, once `finish` has written it.
  public private(set) var bytes: [UInt8] = []

  /// - Parameter fieldBytesMax: of the head that is written. A longer one is cut behind the limit, where the scanner
  ///   refuses it as too large.
  public init(fieldBytesMax: Int) { self.fieldBytesMax = fieldBytesMax }

  /// Makes ready for the next response.
  public mutating func reset() {
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
    guard lines.count <= fieldBytesMax else { return }
    HTTP2FieldRules.append(name, value, to: &lines)
  }

  /// `1xx`: the response is still to come.
  public var isInterim: Bool { status.first == UInt8(ascii: "1") }

  /// Writes the head into `bytes`.
  ///
  /// - Parameters:
  ///   - answersHead: whether the request was HEAD, whose answer declares content that does not come.
  ///   - endsStream: nothing follows the head.
  public mutating func finish(answersHead: Bool, endsStream: Bool) throws(HTTP2ErrorCode) -> HTTP2Framing {
    guard status.count == 3, status.allSatisfy(ByteClass.isDigit) else { throw .protocolError }
    // Source: RFC 9113 §8.6: there is no switch of protocols; §8.1: an interim response ends nothing.
    guard !status.elementsEqual("101".utf8), !(isInterim && endsStream) else { throw .protocolError }
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
}
