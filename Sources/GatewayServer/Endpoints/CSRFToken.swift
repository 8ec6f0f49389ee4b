import Cryptography
import OAuthCore

/// Proves that a form was made for the browser session that submits it.
///
/// HMAC-SHA256 under the session's own secret, which only the cookie carries: nothing is stored, a foreign session's
/// token does not fit, and none outlives the change of session at sign-in.
struct CSRFToken: Sendable {
  private let digest: Digest256

  /// - Parameter session: the handle that the browser's cookie carries.
  init(of session: Handle) {
    digest = HMACSHA256.authenticate(Array("postern csrf".utf8), key: session.secret)
  }

  /// For the hidden field.
  var text: String { Base64URL.encode(digest.bytes) }

  /// Compares in constant time.
  func matches(_ presented: String?) -> Bool {
    guard let presented, let bytes = Base64URL.decode(presented), let other = Digest256(bytes: bytes) else { return false }
    return digest == other
  }
}
