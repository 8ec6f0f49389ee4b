/// A host, perhaps with a port, as a URL has them between `//` and its path.
///
/// Stricter than RFC 3986 §3.2 where leniency helps attackers only: no user information, no percent-encoding, no empty
/// port, no port 0, and no number that only some readers take for an IPv4 address (`2130706433`, `0x7f.1`, `127.1`; WHATWG
/// URL §3.5 would accept them).
public struct Authority: Sendable, Hashable {
  public enum Failure: Error, Sendable {
    /// Not a DNS name, an IPv4 address or an IPv6 address in brackets.
    case host
    /// Not a number from 1 to 65535.
    case port
  }

  /// Lower case: a name, an IPv4 address, or an IPv6 address without its brackets.
  public let host: String
  /// nil: none is named.
  public let port: UInt16?

  public init(_ text: some StringProtocol) throws(Failure) {
    let hostEnd = try Authority.hostEnd(text)
    port = try hostEnd == text.endIndex ? nil : Authority.port(text[hostEnd...])
    let host = text[..<hostEnd]
    if host.hasPrefix("[") {
      let literal = host.dropFirst().dropLast().lowercased()
      guard literal.contains(":"), IPAddress(literal) != nil else { throw .host }
      self.host = literal
    } else {
      guard Authority.isHostName(host) else { throw .host }
      self.host = host.lowercased()
    }
  }

  private static func hostEnd<Text: StringProtocol>(_ text: Text) throws(Failure) -> Text.Index {
    guard text.hasPrefix("[") else { return text.firstIndex(of: ":") ?? text.endIndex }
    guard let bracket = text.firstIndex(of: "]") else { throw .host }
    let end = text.index(after: bracket)
    guard end == text.endIndex || text[end] == ":" else { throw .host }
    return end
  }

  /// - Parameter text: begins with a colon.
  private static func port(_ text: some StringProtocol) throws(Failure) -> UInt16 {
    let digits = text.dropFirst()
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0
    else { throw .port }
    return port
  }

  /// Whether a text is a DNS name or an IPv4 address. Source: RFC 1123 §2.1; RFC 1035 §2.3.4 for the lengths.
  public static func isHostName(_ text: some StringProtocol) -> Bool {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    guard text.utf8.count <= 253, let last = labels.last else { return false }
    let areLabels = labels.allSatisfy { label in
      (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
        && label.utf8.allSatisfy(isHostByte)
    }
    guard areLabels else { return false }
    let endsInNumber = last.utf8.allSatisfy { (0x30...0x39).contains($0) } || last.lowercased().hasPrefix("0x")
    return !endsInNumber || IPAddress(String(text)) != nil
  }

  /// Letters, digits, hyphen, and the underscore that names in compose networks have.
  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
