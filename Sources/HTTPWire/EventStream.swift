extension ResponseHead {
  /// Whether the content is `text/event-stream`. Source: HTML Living Standard §9.2.5.
  public func isEventStream(_ bytes: Span<UInt8>) -> Bool {
    let type: StaticString = "text/event-stream"
    var lines = FieldLines(fieldLines)
    while let line = lines.next(bytes) {
      guard bytes.isFieldName(line.name, "content-type") else { continue }
      let end = Int(line.value.start) &+ type.utf8CodeUnitCount
      guard end <= Int(line.value.end), bytes.equalsIgnoringCase(type, ByteRange(Int(line.value.start), end)) else { return false }
      // Parameters may follow. Source: RFC 9110 §8.3.1.
      return end == Int(line.value.end) || bytes[end] == UInt8(ascii: ";") || ByteClass.isBlank(bytes[end])
    }
    return false
  }
}
