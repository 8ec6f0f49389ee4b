/// A request method: a token, case-sensitive. Source: RFC 9110 §9.1, §5.6.2.
public struct RequestMethod: Sendable, Hashable, CustomStringConvertible {
  public let rawValue: String

  /// nil when it is not a token, or is one that no route serves: `CONNECT` asks for a tunnel, `TRACE` echoes credentials.
  public init?(_ rawValue: String) {
    let isToken = !rawValue.isEmpty && rawValue.utf8.allSatisfy(isTokenByte)
    guard isToken, rawValue != "CONNECT", rawValue != "TRACE" else { return nil }
    self.rawValue = rawValue
  }

  private init(unchecked rawValue: String) { self.rawValue = rawValue }

  public static let get = RequestMethod(unchecked: "GET")
  public static let head = RequestMethod(unchecked: "HEAD")
  public static let post = RequestMethod(unchecked: "POST")
  public static let put = RequestMethod(unchecked: "PUT")
  public static let patch = RequestMethod(unchecked: "PATCH")
  public static let delete = RequestMethod(unchecked: "DELETE")
  public static let options = RequestMethod(unchecked: "OPTIONS")

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
