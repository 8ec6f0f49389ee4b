import Cryptography
import OAuthCore
import ReverseProxy

/// What routes need to take the browser sessions of Postern's own pages.
public struct SessionAccess: Sendable {
  let cookieName: [UInt8]
  /// Of the pages, as browsers serialize it.
  let origin: [UInt8]
  /// Of what the cookie carries.
  let verifier: any TokenVerifier
  private let address: String
  private let returnPaths: ReturnPaths

  /// - Parameter origin: where the pages live.
  public init(origin: Origin, sessions: BrowserSessions, returnPaths: ReturnPaths) {
    address = origin.description
    cookieName = Array(sessions.cookieName.utf8)
    self.origin = Array(address.utf8)
    verifier = sessions
    self.returnPaths = returnPaths
  }

  /// Where a browser signs in, on its way to a page.
  ///
  /// - Parameter target: path and query of the page, as the request line had them.
  func signInAddress(before target: String, at now: Timestamp) -> String {
    guard let sealed = returnPaths.seal(target, at: now) else { return "\(address)/login" }
    return "\(address)/login?return=\(sealed)"
  }
}
