/// What RFC 9113 asks of field names and values, over and above what HTTP/1.1 does: whatever passes reads the same as a
/// line of HTTP/1.1.
enum HTTP2FieldRules {
  /// What every field costs beside its bytes. Source: RFC 9113 §6.5.2.
  private static let fieldCost = 32
  /// Decoded bytes beyond this many times the limit are no mistake: compression makes them cheap to send.
  private static let excess = 4

  /// Counts a field against what a head may hold before its connection is ended.
  static func count(
    _ name: Span<UInt8>, _ value: Span<UInt8>, in bytes: inout Int, limit: Int
  ) throws(HTTP2ErrorCode) {
    bytes &+= name.count &+ value.count &+ fieldCost
    guard bytes <= limit &* excess else { throw .enhanceYourCalm }
  }

  /// Writes a field line of HTTP/1.1.
  static func append(_ name: Span<UInt8>, _ value: Span<UInt8>, to lines: inout [UInt8]) {
    name.withUnsafeBufferPointer { lines.append(contentsOf: $0) }
    lines.append(contentsOf: ": ".utf8)
    value.withUnsafeBufferPointer { lines.append(contentsOf: $0) }
    lines.append(contentsOf: "\r\n".utf8)
  }

  /// A token without upper-case letters. Source: RFC 9113 §8.2.1.
  static func isName(_ name: Span<UInt8>) -> Bool {
    guard name.count > 0 else { return false }
    for index in 0..<name.count {
      guard ByteClass.isToken(name[index]), name[index] &- 0x41 >= 26 else { return false }
    }
    return true
  }

  /// No CR, LF, NUL or other control, and no white space at either end. Source: RFC 9113 §8.2.1.
  static func isValue(_ value: Span<UInt8>) -> Bool {
    guard value.count > 0 else { return true }
    guard !ByteClass.isBlank(value[0]), !ByteClass.isBlank(value[value.count &- 1]) else { return false }
    return value.endOfFieldValue(from: 0) == value.count
  }

  /// Fields of HTTP/1.1 connections, which make a message of HTTP/2 malformed. Source: RFC 9113 §8.2.2.
  static func isConnectionSpecific(_ name: Span<UInt8>) -> Bool {
    let range = ByteRange(0, name.count)
    return switch name.count {
    case 7: name.equalsIgnoringCase("upgrade", range)
    case 10: name.equalsIgnoringCase("connection", range) || name.equalsIgnoringCase("keep-alive", range)
    case 16: name.equalsIgnoringCase("proxy-connection", range)
    case 17: name.equalsIgnoringCase("transfer-encoding", range)
    default: false
    }
  }
}
