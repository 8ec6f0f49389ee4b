/// How far the reading of a head has come, in bytes from its start.
struct HeadProgress: Sendable {
  /// Start of the first line that is not read yet.
  var line = 0
  /// Up to where that line is known to hold no line end.
  var searched = 0
  /// Start of the first field line; 0 while the start line is not read.
  var fields = 0

  /// Whether reading the line again could get further than last time. Slow senders thus cost one search per byte, not
  /// one reading of the line per byte.
  mutating func mayContinue(_ bytes: Span<UInt8>) -> Bool {
    guard searched > line else { return true }
    var position = searched
    while position < bytes.count, bytes[position] != 0x0a { position &+= 1 }
    searched = position
    return position < bytes.count
  }

  mutating func finishLine(at end: Int) { line = end }

  mutating func wait(_ bytes: Span<UInt8>) { searched = bytes.count }

  /// Reads field lines up to the empty line.
  ///
  /// - Returns: the bytes of the whole head; nil when more must be received.
  mutating func readFields(
    _ bytes: Span<UInt8>, into section: inout FieldSection, limits: WireLimits
  ) throws(WireError) -> Int? {
    while line < bytes.count {
      if bytes[line] == 0x0d {
        guard line &+ 1 < bytes.count else { break }
        guard bytes[line &+ 1] == 0x0a else { throw .badFieldName }
        guard line &- fields <= limits.fieldBytes else { throw .fieldsTooLarge }
        try section.finish(bytes, fields: fields..<line)
        return line &+ 2
      }
      guard let end = try section.takeLine(bytes, at: line) else { break }
      guard section.fieldCount <= limits.fieldCount else { throw .tooManyFields }
      finishLine(at: end)
    }
    guard bytes.count &- fields <= limits.fieldBytes else { throw .fieldsTooLarge }
    wait(bytes)
    return nil
  }
}
