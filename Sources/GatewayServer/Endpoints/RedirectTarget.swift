/// Where a redirect URI leads, for the eyes of the resource owner and for `form-action`.
struct RedirectTarget: Sendable, Equatable {
  /// Such as `printmypics.example`, in words where there is no host worth showing.
  let words: String
  /// CSP sources that let the browser arrive there after a form was submitted. Source: CSP Level 3 §2.3.1.
  ///
  /// Chromium applies `form-action` to every redirect that follows, also to those of the client, which may well go on to
  /// another host; a user whose browser stops there is stuck with a code that is spent. So schemes are named, not hosts:
  /// `https` always, and the redirect URI's own.
  let sources: String

  /// - Parameter uri: a registered redirect URI, absolute and without fragment.
  init(_ uri: String) {
    let colon = uri.firstIndex(of: ":") ?? uri.endIndex
    let scheme = uri[..<colon].lowercased()
    let rest = uri[colon...].dropFirst()
    guard scheme == "https" || scheme == "http", rest.hasPrefix("//") else {
      words = "an app on this device (\(scheme))"
      sources = RedirectTarget.isSchemeName(scheme) ? "https: \(scheme):" : "https:"
      return
    }
    let authority = String(rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" && $0 != "#" })
    let isLoopback = ["127.0.0.1", "[::1]", "localhost"].contains { authority == $0 || authority.hasPrefix("\($0):") }
    words = isLoopback ? "an app on this device (\(authority))" : authority
    sources = scheme == "http" ? "https: http:" : "https:"
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
