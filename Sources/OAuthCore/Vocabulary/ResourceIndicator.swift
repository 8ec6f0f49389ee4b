/// Names of resources that tokens are for. Source: RFC 8707.
public enum ResourceIndicator {
  /// Whether `text` is an absolute URI without a fragment: `scheme ":" …` of visible ASCII.
  ///
  /// Source: RFC 8707 §2; RFC 3986 §4.3.
  public static func isWellFormed(_ text: String) -> Bool {
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), let first = text.utf8.first else { return false }
    let isLetter = { (byte: UInt8) in (0x61...0x7a).contains(byte | 0x20) }
    let scheme = text.utf8[..<colon]
    return isLetter(first)
      && scheme.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || [0x2b, 0x2d, 0x2e].contains($0) }
      && text.utf8.index(after: colon) < text.utf8.endIndex
      && text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") }
  }
}
