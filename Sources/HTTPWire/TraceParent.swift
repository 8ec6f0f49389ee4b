/// A `traceparent` field value, taken apart.
///
/// Source: W3C Trace Context §3.2, `version "-" trace-id "-" parent-id "-" trace-flags`.
public struct TraceParent: Sendable, Equatable {
  /// 32 lower-case hexadecimal digits.
  public let traceID: ByteRange
  /// Two of them.
  public let flags: ByteRange

  /// Bytes of a value of version 00; later versions may append to it.
  private static let byteCount = 55

  /// - Returns: nil when the trace cannot be continued: Source: §3.2.2.2 to §3.2.2.4, §4.3.
  public init?(_ bytes: Span<UInt8>, _ value: ByteRange) {
    let start = Int(value.start)
    guard value.count >= TraceParent.byteCount else { return nil }
    guard bytes.isLowerHex(start, 2), bytes[start &+ 2] == 0x2d, bytes.isLowerHex(start &+ 3, 32), bytes[start &+ 35] == 0x2d,
      bytes.isLowerHex(start &+ 36, 16), bytes[start &+ 52] == 0x2d, bytes.isLowerHex(start &+ 53, 2)
    else { return nil }
    guard !bytes.isAll(0x30, start &+ 3, 32), !bytes.isAll(0x30, start &+ 36, 16) else { return nil }
    guard !bytes.isAll(0x66, start, 2) else { return nil }
    if value.count > TraceParent.byteCount {
      guard !bytes.isAll(0x30, start, 2), bytes[start &+ TraceParent.byteCount] == 0x2d else { return nil }
    }
    traceID = ByteRange(start &+ 3, start &+ 35)
    flags = ByteRange(start &+ 53, start &+ 55)
  }
}

extension Span where Element == UInt8 {
  fileprivate func isLowerHex(_ start: Int, _ count: Int) -> Bool {
    for index in start..<start &+ count {
      guard ByteClass.isDigit(self[index]) || self[index] &- 0x61 < 6 else { return false }
    }
    return true
  }

  fileprivate func isAll(_ byte: UInt8, _ start: Int, _ count: Int) -> Bool {
    for index in start..<start &+ count where self[index] != byte { return false }
    return true
  }
}
