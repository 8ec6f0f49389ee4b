/// The trailers of one message of HTTP/2, field by field, on their way to the lines of a chunked body's trailer section,
/// whose reader judges what may stand in them.
public struct HTTP2TrailerSection: Sendable {
  /// Larger than any trailer section that is accepted.
  private static let bytesMax = 16 << 10

  /// Lines with their ends, without the empty line.
  public private(set) var lines: [UInt8] = []

  public init() {}

  public mutating func reset() { lines.removeAll(keepingCapacity: true) }

  /// Takes the next field.
  ///
  /// - Throws: the message is malformed, or its trailers are too large.
  ///
  /// Source: RFC 9113 §8.1: no pseudo-fields.
  public mutating func take(name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    guard HTTP2FieldRules.isName(name), !HTTP2FieldRules.isConnectionSpecific(name), HTTP2FieldRules.isValue(value) else {
      throw .protocolError
    }
    guard lines.count &+ name.count &+ value.count <= HTTP2TrailerSection.bytesMax else { throw .enhanceYourCalm }
    HTTP2FieldRules.append(name, value, to: &lines)
  }
}
