import Cryptography
import OAuthCore

/// What a browser brings to the redirect URI: a code, or why there is none. Believed only after `Visit.redeem`.
///
/// Source: RFC 6749 §4.1.2, §4.1.2.1; RFC 9207 §2.
struct AuthorizationAnswer: Sendable {
  let state: Secret
  let issuer: String?
  let error: String?
  let code: Secret?

  /// - Parameter query: without `?`.
  init(query: String?) throws(AnswerRefusal) {
    guard let form = try? FormDecoder.decode(Array((query ?? "").utf8)), form.repeated(except: { _ in false }) == nil else {
      throw .unreadable
    }
    guard let state = form["state"] else { throw .stateMissing }
    self.state = Secret(state)
    issuer = form["iss"]
    error = form["error"]
    code = form["code"].map { Secret($0) }
  }
}

/// Why an answer leads to no tokens.
enum AnswerRefusal: Error, Sendable, Equatable {
  /// Two readers could read it differently.
  case unreadable
  case stateMissing
  /// Nobody asked in this browser, or the answer has been here before.
  case notAsked
  /// Somebody else asked.
  case stateDifferent
  case expired
  /// `iss` is missing or names somebody else: the answer comes from another authorization server.
  case issuerDifferent
  /// The resource owner said no.
  case denied
  /// The authorization server said no; its error code. Source: RFC 6749 §4.1.2.1.
  case failed(code: String)
  case codeMissing
}
