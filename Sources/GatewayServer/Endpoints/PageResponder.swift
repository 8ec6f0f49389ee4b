import Cryptography
import HTTPWire

/// Turns pages into responses that browsers keep to themselves: no script, no frame, no cache, no referrer.
public struct PageResponder: Sendable {
  private let library: PageLibrary
  private let styleSource: String

  public init(issuerHost: String) {
    library = PageLibrary(issuerHost: issuerHost)
    // The digest of exactly what stands between `<style>` and `</style>`. Source: CSP Level 3 §8.3.
    styleSource = "'sha256-\(Base64.encode(SHA256.digest(Stylesheet.text).bytes))'"
  }

  /// - Parameters:
  ///   - afterSubmit: where submitting a form of the page may lead besides Postern itself, as CSP sources; see
  ///     `RedirectTarget.sources`.
  ///   - retryAfter: seconds.
  func respond(
    _ page: some Page, status: Int = 200, afterSubmit: String? = nil, retryAfter: Int? = nil
  ) -> HTTPResponse {
    let formAction = afterSubmit.map { "'self' \($0)" } ?? "'self'"
    let policy = [
      "default-src 'none'", "style-src \(styleSource)", "img-src data:", "form-action \(formAction)", "base-uri 'none'",
      "frame-ancestors 'none'",
    ]
    var fields: HTTPFields = [
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policy.joined(separator: "; "),
      "X-Frame-Options": "DENY",
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Resource-Policy": "same-origin",
      "Cache-Control": "no-store",
    ]
    if let retryAfter { fields.append("Retry-After", String(retryAfter)) }
    return HTTPResponse(status: status, fields: fields, body: library.render(page))
  }
}
