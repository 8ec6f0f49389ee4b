/// A request method: a token, case-sensitive. Source: RFC 9110 §9.1, §5.6.2.
public struct RequestMethod: Sendable, Hashable, CustomStringConvertible {
  public let rawValue: String

  /// nil when it is not a token, or is one that no route serves.
  public init?(_ rawValue: String) {
    let isToken = !rawValue.isEmpty && rawValue.utf8.allSatisfy(isTokenByte)
    guard isToken, !RequestMethod.isRefused(Array(rawValue.utf8).span) else { return nil }
    self.rawValue = rawValue
  }

  /// Whether no route serves the method, not even one for any: `CONNECT` asks for a tunnel; `TRACE`, and `TRACK` as some
  /// servers call it, sends the request back, and with it the credential that Postern has put in. Without case, since
  /// servers exist that read methods so.
  ///
  /// Source: RFC 9110 §9.3.6, §9.3.8.
  static func isRefused(_ method: Span<UInt8>) -> Bool {
    func isNamed(_ name: StaticString) -> Bool {
      guard method.count == name.utf8CodeUnitCount else { return false }
      return name.withUTF8Buffer { bytes in bytes.indices.allSatisfy { asciiLowercased(method[$0]) == bytes[$0] } }
    }
    return isNamed("trace") || isNamed("track") || isNamed("connect")
  }

  private init(unchecked rawValue: String) { self.rawValue = rawValue }

  public static let get = RequestMethod(unchecked: "GET")
  public static let head = RequestMethod(unchecked: "HEAD")
  public static let post = RequestMethod(unchecked: "POST")
  public static let put = RequestMethod(unchecked: "PUT")
  public static let patch = RequestMethod(unchecked: "PATCH")
  public static let delete = RequestMethod(unchecked: "DELETE")
  public static let options = RequestMethod(unchecked: "OPTIONS")

  /// What `Allow` names for a route that serves any method.
  static let common: [RequestMethod] = [.get, .head, .post, .put, .patch, .delete, .options]

  public var description: String { rawValue }
}

/// `tchar`. Source: RFC 9110 §5.6.2.
func isTokenByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"),
    UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^")...UInt8(ascii: "`"),
    UInt8(ascii: "|"), UInt8(ascii: "~"):
    true
  default: false
  }
}
