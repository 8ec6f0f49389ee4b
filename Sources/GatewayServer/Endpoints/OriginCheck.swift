import HTTPWire
import ReverseProxy

/// Whether a browser says that a state-changing request comes from a page of Postern itself.
///
/// A second wall besides the CSRF token. What a browser leaves out is not held against it: old browsers send neither
/// field, and the token decides.
///
/// Source: RFC 6454 §7; W3C Fetch Metadata §2.3.
struct OriginCheck: Sendable {
  private let ownOrigin: String

  /// - Parameter origin: where the pages live.
  init(_ origin: Origin) { ownOrigin = origin.description }

  func allows(_ request: HTTPRequest) -> Bool {
    // `null` is what our own pages' forms carry, since their policy hides the referrer; Fetch Metadata speaks for it.
    let origins = request.fields.all("Origin").filter { $0 != "null" }
    guard origins.allSatisfy({ $0 == ownOrigin }) else { return false }
    // `none`: the user did it, by reloading. `same-site` is another host of the same domain: a stranger.
    return request.fields.all("Sec-Fetch-Site").allSatisfy { $0 == "same-origin" || $0 == "none" }
  }
}
