/// A field that may occur once, in a head that was read before.
public enum SoleField: Sendable, Equatable {
  case absent
  case value(ByteRange)
  /// Several lines of the name: they do not say one thing.
  case repeated
}

extension Span where Element == UInt8 {
  /// Looks a field up by its name, which is written in lower case; case is ignored, and `_` is not `-`: what others may
  /// take for the field is none that Postern believes.
  ///
  /// - Parameter lines: from the first field line to the empty line, exclusive.
  public func soleField(_ name: StaticString, in lines: Range<Int>) -> SoleField {
    var found = SoleField.absent
    var walk = FieldLines(lines)
    while let line = walk.next(self) {
      guard equalsIgnoringCase(name, line.name) else { continue }
      guard found == .absent else { return .repeated }
      found = .value(line.value)
    }
    return found
  }
}
