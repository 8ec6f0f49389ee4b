/// Where a redirect URI leads, for the eyes of the resource owner and for `form-action`.
struct RedirectTarget: Sendable, Equatable {
  /// Such as `printmypics.example`, in words where there is no host worth showing.
  let words: String
  /// A CSP source that matches the URI. Source: CSP Level 3 §2.3.1.
  let source: String

  /// - Parameter uri: a registered redirect URI, absolute and without fragment.
  init(_ uri: String) {
    let colon = uri.firstIndex(of: ":") ?? uri.endIndex
    let scheme = uri[..<colon].lowercased()
    let rest = uri[colon...].dropFirst()
    guard scheme == "https" || scheme == "http", rest.hasPrefix("//") else {
      words = "an app on this device (\(scheme))"
      source = RedirectTarget.isSchemeName(scheme) ? "\(scheme):" : "'self'"
      return
    }
    let authority = String(rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" && $0 != "#" })
    let isLoopback = ["127.0.0.1", "[::1]", "localhost"].contains { authority == $0 || authority.hasPrefix("\($0):") }
    words = isLoopback ? "an app on this device (\(authority))" : authority
    // The grammar has no IPv6 literals, so their scheme alone must do; nothing that could end the directive passes.
    let fitsHostSource = authority.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
    }
    source = fitsHostSource && !authority.isEmpty ? "\(scheme)://\(authority)" : "\(scheme):"
  }

  /// Source: RFC 3986 §3.1.
  private static func isSchemeName(_ text: String) -> Bool {
    guard let first = text.utf8.first, (0x61...0x7a).contains(first) else { return false }
    return text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte)
        || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
  }
}
