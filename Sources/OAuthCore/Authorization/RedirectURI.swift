/// Rules for redirection endpoints. Source: RFC 6749 §3.1.2; RFC 8252 §7; RFC 9700 §2.1, §4.1.3.
public enum RedirectURI {
  /// Longest that is looked at. Bytes.
  public static let byteCountMax = 2048

  /// Whether a request may name `requested` when `registered` is on file: the same bytes, except that the port of a
  /// loopback IP literal is free, since native apps take the port they get.
  ///
  /// Nothing is decoded or normalised: two spellings of one URI are two URIs here.
  ///
  /// Source: RFC 9700 §4.1.3; RFC 8252 §7.3.
  public static func matches(_ requested: String, registered: String) -> Bool {
    guard requested.utf8.count <= byteCountMax else { return false }
    if requested.utf8.elementsEqual(registered.utf8) { return true }
    for origin in loopbackOrigins {
      if let asked = withoutPort(requested, origin), let known = withoutPort(registered, origin) {
        return asked.elementsEqual(known)
      }
    }
    return false
  }

  /// Why a client must not be registered with this URI; nil: it may.
  public static func objection(to text: String) -> String? {
    let bytes = Array(text.utf8)
    guard bytes.count <= byteCountMax else { return "is longer than \(byteCountMax) bytes" }
    guard bytes.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c }) else {
      return "contains a character that no URI has"
    }
    // RFC 6749 §3.1.2: must not include a fragment component.
    guard !bytes.contains(UInt8(ascii: "#")) else { return "has a fragment (RFC 6749 §3.1.2)" }
    guard let colon = text.firstIndex(of: ":") else { return "is not an absolute URI" }
    let scheme = text[..<colon].lowercased()
    switch scheme {
    case "https":
      guard text.hasPrefix("https://") else { return "does not start with https://" }
      return objection(toAuthority: text.dropFirst("https://".count).prefix { $0 != "/" && $0 != "?" })
    case "http":
      let isLoopback = loopbackOrigins.contains { withoutPort(text, $0) != nil } || isLocalhost(text)
      return isLoopback ? nil : "uses http beyond loopback (RFC 8252 §7.3); use https"
    case "javascript", "data", "vbscript", "file", "blob", "about": return "has a scheme that browsers run or read"
    default:
      // RFC 8252 §7.1: a private-use scheme is a domain name under the app's control, reversed.
      return scheme.contains(".") && isSchemeName(scheme)
        ? nil : "has a scheme that is neither https nor a reversed domain name such as com.example.app (RFC 8252 §7.1)"
    }
  }

  /// Source: RFC 3986 §3.2.
  private static func objection(toAuthority authority: Substring) -> String? {
    guard !authority.contains("@") else { return "has user information before its host" }
    let isLiteral = authority.hasPrefix("[")
    let literalEnd = authority.firstIndex(of: "]").map { authority.index(after: $0) }
    let hostEnd = isLiteral ? literalEnd : authority.firstIndex(of: ":") ?? authority.endIndex
    guard let hostEnd, hostEnd > authority.startIndex else { return "has no host" }
    let isHost = isLiteral || authority[..<hostEnd].utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || [0x2d, 0x2e, 0x5f].contains($0)
    }
    guard isHost else { return "has a host with a character that no name has" }
    let port = authority[hostEnd...]
    guard !port.isEmpty else { return nil }
    let digits = port.dropFirst()
    let isPort =
      port.hasPrefix(":") && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
      && Int(digits).map { (1...65_535).contains($0) } == true
    return isPort ? nil : "has a port that is not between 1 and 65535"
  }

  private static let loopbackOrigins = ["http://127.0.0.1", "http://[::1]"]

  /// What follows the origin and its port; nil when the URI does not start with exactly that origin.
  private static func withoutPort(_ uri: String, _ origin: String) -> Substring.UTF8View? {
    guard uri.utf8.starts(with: origin.utf8) else { return nil }
    var rest = Substring(uri).utf8.dropFirst(origin.utf8.count)
    if rest.first == UInt8(ascii: ":") {
      rest = rest.dropFirst()
      let digits = rest.prefix { (0x30...0x39).contains($0) }
      guard let port = Int(Substring(digits)), (1...65_535).contains(port), digits.count <= 5 else { return nil }
      rest = rest.dropFirst(digits.count)
    }
    // Anything else would still be part of the host, as in http://127.0.0.1.example.
    guard rest.isEmpty || rest.first == UInt8(ascii: "/") || rest.first == UInt8(ascii: "?") else { return nil }
    return rest
  }

  /// Allowed for development, but matched exactly, port included. Source: RFC 8252 §8.3.
  private static func isLocalhost(_ uri: String) -> Bool { withoutPort(uri, "http://localhost") != nil }

  private static func isSchemeName(_ scheme: String) -> Bool {
    guard let first = scheme.utf8.first, (0x61...0x7a).contains(first) else { return false }
    return scheme.utf8.allSatisfy {
      (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || [0x2b, 0x2d, 0x2e].contains($0)
    }
  }
}
