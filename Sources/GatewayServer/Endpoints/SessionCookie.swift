import HTTPWire

/// The cookie that carries the browser session's handle.
///
/// `__Host-` makes browsers insist on `Secure`, `Path=/` and no `Domain`, so that no other host can plant one. Browsers
/// refuse the prefix over plain http, which Postern serves on loopback only; there the name is plain.
/// `SameSite=Lax`, not `Strict`: clients send the browser here by a cross-site navigation, and it must arrive signed in.
///
/// Source: RFC 6265bis §4.1.3.2, §5.6.7; RFC 6265 §4.
public struct SessionCookie: Sendable {
  let name: String
  private let attributes: String

  /// - Parameter isSecure: whether browsers reach Postern by https, which is what the issuer says.
  public init(isSecure: Bool) {
    name = isSecure ? "__Host-postern" : "postern"
    attributes = isSecure ? "; Path=/; Secure; HttpOnly; SameSite=Lax" : "; Path=/; HttpOnly; SameSite=Lax"
  }

  /// - Returns: the value that the browser sent; nil when there is none, or when there are two: one of them is planted.
  func value(in fields: HTTPFields) -> String? {
    var found: String?
    for field in fields.all("Cookie") {
      for pair in field.split(separator: ";") {
        let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == name else { continue }
        guard found == nil else { return nil }
        found = String(parts[1])
      }
    }
    return found
  }

  /// A `Set-Cookie` value without expiry: the cookie ends with the browser, the session at the server after 12 hours.
  func setting(_ handle: String) -> String { "\(name)=\(handle)\(attributes)" }

  /// A `Set-Cookie` value that makes the browser forget.
  var clearing: String { "\(name)=; Max-Age=0\(attributes)" }
}
