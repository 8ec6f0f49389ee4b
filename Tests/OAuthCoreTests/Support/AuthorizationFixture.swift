import OAuthCore
import PosternTesting

extension Fixture {
  /// A good request of the web client, with some parameters replaced; nil removes one.
  static func authorization(_ changes: KeyValuePairs<String, String?> = [:], appending extra: String = "") -> [UInt8] {
    var pairs: [(name: String, value: String)] = [
      ("response_type", "code"), ("client_id", "web"), ("redirect_uri", callback), ("scope", "read"), ("state", "xyz"),
      ("code_challenge", challenge), ("code_challenge_method", "S256"),
    ]
    for (name, value) in changes {
      pairs.removeAll { $0.name == name }
      if let value { pairs.append((name, value)) }
    }
    return Array((PercentEncoding.form(pairs) + extra).utf8)
  }
}

extension ServerUnderTest {
  /// Asks with a request of `Fixture.authorization`.
  func authorize(
    _ changes: KeyValuePairs<String, String?> = [:], appending extra: String = "", session: BrowserSession?
  ) async -> AuthorizationStep {
    await authorization.respond(to: Fixture.authorization(changes, appending: extra), session: session)
  }

  /// Alice is signed in, and has allowed the web client everything.
  func consentingSession() async throws -> BrowserSession {
    try await consents.allow(["read", "write"], to: Fixture.web.id, by: Fixture.alice, at: clock.now)
    return session(of: Fixture.alice)
  }
}

extension AuthorizationStep {
  /// Where the browser is sent; nil: nowhere.
  var redirectURL: String? { if case .redirect(let url) = self { url } else { nil } }
  var redirect: Redirect? { redirectURL.map { Redirect($0) } }
  /// What the client is told.
  var error: String? { redirect?["error"] }
  /// Of the page that a person gets instead of a redirect.
  var errorStatus: Int? { if case .errorPage(let page) = self { page.status } else { nil } }
}
