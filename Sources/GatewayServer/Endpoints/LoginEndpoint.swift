import Broker
import Cryptography
import HTTPWire
import OAuthCore

/// `/login`: shows the sign-in page, and signs in.
public struct LoginEndpoint: Endpoint {
  private let gate: PageGate
  private let flow: AuthorizationFlow
  private let passwords: PasswordVerifier
  private let returnPaths: ReturnPaths
  private let clock: any WallClock

  public init(
    gate: PageGate, flow: AuthorizationFlow, passwords: PasswordVerifier, returnPaths: ReturnPaths, clock: any WallClock
  ) {
    self.gate = gate
    self.flow = flow
    self.passwords = passwords
    self.returnPaths = returnPaths
    self.clock = clock
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    switch request.method {
    case "GET", "HEAD":
      await gate.show(request) { (browser: Browser, query: Form) async throws(PageRefusal) -> HTTPResponse in
        try await show(browser, query, requestID: request.requestID)
      }
    case "POST":
      await gate.submit(request) { (browser, form) async throws(PageRefusal) -> HTTPResponse in
        try await signIn(browser, form, from: request.remoteAddress)
      }
    default: gate.refuse(.methodNotAllowed(allow: "GET, HEAD, POST"), request)
    }
  }

  private func show(_ browser: Browser, _ query: Form, requestID: String?) async throws(PageRefusal) -> HTTPResponse {
    if let sealed = query["request"] { return try await flow.resume(sealed, browser, requestID: requestID) }
    let next = try AfterSignIn(query, returnPaths, at: clock.now)
    guard browser.account == nil else { return .seeOther(next.address) }
    var page = SignInPage(notice: query.contains("signed_out") ? "You are signed out." : nil, csrf: browser.csrf.text)
    next.prepare(&page)
    return gate.pages.respond(page, afterSubmit: next.leadsElsewhere ? gate.providerSources : nil)
  }

  /// The sign-in page, from which it goes on to `/connect/{provider}`.
  static func address(beforeConnecting provider: ProviderID) -> String { "/login?connect=\(provider)" }

  /// The password goes to the verifier and nowhere else; the page that follows does not hold it.
  private func signIn(_ browser: Browser, _ form: Form, from address: String) async throws(PageRefusal) -> HTTPResponse {
    var pending: AuthorizationRequest?
    if let sealed = form["request"] { pending = try flow.open(sealed, browser) }
    let next = try AfterSignIn(form, returnPaths, at: clock.now)
    let username = form["username"] ?? ""
    guard !username.isEmpty, let password = form["password"] else {
      return try await refuse(.incomplete, username, pending, next, browser)
    }

    let outcome: PasswordVerifier.Outcome
    do {
      outcome = try await passwords.verify(username: username, password: Secret(password), remoteAddress: address)
    } catch { throw .unavailable(error) }
    switch outcome {
    case .refused: return try await refuse(.wrong, username, pending, next, browser)
    case .limited(let seconds): return try await refuse(.limited(seconds: seconds), username, pending, next, browser)
    case .verified(let account):
      let signedIn: Browser
      do { signedIn = try await gate.sessions.signIn(account, replacing: browser) } catch { throw .unavailable(error) }
      guard let pending else { return .seeOther(next.address).withCookie(signedIn.setCookie) }
      return try await flow.goOn(to: "/consent", with: pending, signedIn).withCookie(signedIn.setCookie)
    }
  }

  private func refuse(
    _ problem: Problem, _ username: String, _ pending: AuthorizationRequest?, _ next: AfterSignIn, _ browser: Browser
  ) async throws(PageRefusal) -> HTTPResponse {
    // What is too long for a user name is no use to show again.
    let username = username.utf8.count <= PasswordVerifier.usernameByteCountMax ? username : ""
    guard let pending else {
      var page = SignInPage(
        username: username, problem: problem.sentence, isRefused: problem.isAboutInput, csrf: browser.csrf.text)
      next.prepare(&page)
      return gate.pages.respond(
        page, status: problem.status, afterSubmit: next.leadsElsewhere ? gate.providerSources : nil,
        retryAfter: problem.retryAfter)
    }
    return try await flow.signInPage(
      for: pending, browser, username: username, status: problem.status, retryAfter: problem.retryAfter
    ) { page in
      page.problem = problem.sentence
      page.isRefused = problem.isAboutInput
    }
  }
}

extension LoginEndpoint {
  /// Why nobody was signed in. The sentence is the same for an unknown user and a wrong password.
  private enum Problem {
    case incomplete
    case wrong
    case limited(seconds: Int)

    var sentence: String {
      switch self {
      case .incomplete: "Enter your user name and your password."
      case .wrong: "User name or password is wrong."
      case .limited(let seconds): "Too many attempts. Wait \(seconds) second\(seconds == 1 ? "" : "s"), then try again."
      }
    }

    var status: Int {
      switch self {
      case .incomplete: 400
      case .wrong: 403
      case .limited: 429
      }
    }

    var isAboutInput: Bool { retryAfter == nil }

    /// Seconds.
    var retryAfter: Int? { if case .limited(let seconds) = self { seconds } else { nil } }
  }
}
