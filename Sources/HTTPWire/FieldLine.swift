/// One field line, split into name and value. Source: RFC 9112 §5.
public struct FieldLine: Sendable {
  public let name: ByteRange
  /// Without the white space around it.
  public let value: ByteRange
  /// Where the next line starts.
  public let end: Int

  public var whole: ByteRange { ByteRange(Int(name.start), end) }

  /// - Returns: nil when the line is not complete yet.
  @inline(__always)
  init?(_ bytes: Span<UInt8>, at start: Int) throws(WireError) {
    var position = start
    while position < bytes.count, ByteClass.isToken(bytes[position]) { position &+= 1 }
    guard position < bytes.count else { return nil }
    guard position > start else {
      // White space first: the last line going on (RFC 9112 §5.2), or white space before the first field (§2.2).
      throw ByteClass.isBlank(bytes[start]) ? .obsoleteFolding : .badFieldName
    }
    guard bytes[position] == UInt8(ascii: ":") else { throw .badFieldName }
    name = ByteRange(start, position)
    position &+= 1
    while position < bytes.count, ByteClass.isBlank(bytes[position]) { position &+= 1 }
    let valueStart = position
    position = bytes.endOfFieldValue(from: position)
    guard position < bytes.count else { return nil }
    guard bytes[position] == 0x0d else { throw .badFieldValue }
    guard position &+ 1 < bytes.count else { return nil }
    guard bytes[position &+ 1] == 0x0a else { throw .badFieldValue }
    end = position &+ 2
    while position > valueStart, ByteClass.isBlank(bytes[position &- 1]) { position &-= 1 }
    value = ByteRange(valueStart, position)
  }
}

/// Walks over the lines of a field section that was read before.
public struct FieldLines: Sendable {
  private var position: Int
  private let end: Int

  /// - Parameter fields: from the first line to the empty line, exclusive.
  public init(_ fields: Range<Int>) {
    position = fields.lowerBound
    end = fields.upperBound
  }

  public mutating func next(_ bytes: Span<UInt8>) -> FieldLine? {
    guard position < end, let line = try? FieldLine(bytes, at: position) else { return nil }
    position = line.end
    return line
  }
}

extension Span where Element == UInt8 {
  /// Whether a field name is `name`, which is written in lower case; case is ignored and `_` reads as `-`.
  public func isFieldName(_ range: ByteRange, _ name: StaticString) -> Bool {
    range.count == name.utf8CodeUnitCount && foldedEquals(name, at: Int(range.start))
  }

  /// The same with a name that is known at run time only.
  public func isFieldName(_ range: ByteRange, _ name: [UInt8]) -> Bool {
    guard range.count == name.count else { return false }
    for index in name.indices where ByteClass.folded(self[Int(range.start) &+ index]) != name[index] { return false }
    return true
  }
}

/// Walks over a comma-separated list of tokens; empty elements are skipped. Source: RFC 9110 §5.6.1.
struct TokenList {
  private var position: Int
  private let end: Int

  init(_ value: ByteRange) {
    position = Int(value.start)
    end = Int(value.end)
  }

  mutating func next(_ bytes: Span<UInt8>) throws(WireError) -> ByteRange? {
    while position < end, ByteClass.isBlank(bytes[position]) || bytes[position] == UInt8(ascii: ",") { position &+= 1 }
    guard position < end else { return nil }
    let start = position
    while position < end, ByteClass.isToken(bytes[position]) { position &+= 1 }
    guard position > start else { throw .badConnection }
    let token = ByteRange(start, position)
    while position < end, ByteClass.isBlank(bytes[position]) { position &+= 1 }
    guard position == end || bytes[position] == UInt8(ascii: ",") else { throw .badConnection }
    return token
  }
}
