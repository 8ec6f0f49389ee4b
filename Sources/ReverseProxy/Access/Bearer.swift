/// The bearer token of a request: only ever from the `Authorization` field, never from query or body.
///
/// Source: RFC 6750 §2.1, `credentials = "Bearer" 1*SP b64token`; RFC 9700 §4.3.2 for the query.
public enum Bearer: Sendable, Equatable {
  /// No `Authorization`, or one of another scheme.
  case absent
  /// Where in the field's value lies what may be a token; `isToken` tells. Who knows the very bytes need not ask again.
  case presented(Range<Int>)
  /// The scheme is Bearer, what follows cannot be a token.
  case malformed

  /// Longer tokens are malformed. Postern's own are far shorter; a JWT with many claims fits.
  public static let tokenBytesMax = 8 * 1024

  /// - Parameter value: the field's value without surrounding white space. A request with two `Authorization` fields is
  ///   malformed before this is asked (RFC 9110 §5.3: the field is no list).
  public init(authorization value: Span<UInt8>) {
    let scheme: StaticString = "bearer"
    guard value.count >= scheme.utf8CodeUnitCount else { self = .absent; return }
    let isBearer = scheme.withUTF8Buffer { name in
      for index in name.indices where asciiLowercased(value[index]) != name[index] { return false }
      return true
    }
    guard isBearer else { self = .absent; return }
    var start = scheme.utf8CodeUnitCount
    guard start < value.count else { self = .malformed; return }
    guard value[start] == UInt8(ascii: " ") else {
      // `Bearerish x` is another scheme; `Bearer,x` or `Bearer<tab>x` is a bad one.
      self = isTokenByte(value[start]) ? .absent : .malformed
      return
    }
    while start < value.count, value[start] == UInt8(ascii: " ") { start += 1 }

    let range = start..<value.count
    self = range.isEmpty || range.count > Bearer.tokenBytesMax ? .malformed : .presented(range)
  }

  /// Whether it is exactly one `b64token`.
  public static func isToken(_ presented: Span<UInt8>) -> Bool {
    var end = 0
    while end < presented.count, isTokenCharacter(presented[end]) { end += 1 }
    guard end > 0 else { return false }
    while end < presented.count, presented[end] == UInt8(ascii: "=") { end += 1 }
    return end == presented.count
  }

  /// `b64token` without its padding: ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/".
  private static func isTokenCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "-")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "+"):
      true
    default: false
    }
  }
}
