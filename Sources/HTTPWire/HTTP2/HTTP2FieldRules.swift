/// What RFC 9113 asks of field names and values, over and above what HTTP/1.1 does: whatever passes reads the same as a
/// line of HTTP/1.1.
enum HTTP2FieldRules {
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
