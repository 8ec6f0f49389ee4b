import OAuthCore

/// Why a browser gets an error page instead of the page it asked for.
enum PageRefusal: Error, Sendable, Equatable {
  case methodNotAllowed(allow: String)
  /// Not a form, or not one that has a single reading.
  case malformed
  case tooLarge
  /// From another site, another session, or a page left open too long.
  case notFromThisSession
  /// The authorization request is no longer to be had: expired, or started in another browser.
  case requestExpired
  case unavailable(StoreFailure)

  var status: Int {
    switch self {
    case .methodNotAllowed: 405
    case .malformed, .requestExpired: 400
    case .tooLarge: 413
    case .notFromThisSession: 403
    case .unavailable: 503
    }
  }

  /// Seconds; for `Retry-After`.
  var retryAfter: Int? { if case .unavailable = self { 1 } else { nil } }

  func page(requestID: String?) -> ErrorPage {
    let (heading, explanation, advice) =
      switch self {
      case .methodNotAllowed:
        ("This page cannot be used that way", "The browser asked for this page in a way that it does not answer.",
          "Go back to the app and start again.")
      case .malformed:
        ("This request cannot be read", "What the browser sent is not a form that this page understands.",
          "Go back, reload the page and try again.")
      case .tooLarge:
        ("This request is too large", "What the browser sent is larger than this page accepts.",
          "Go back, reload the page and try again.")
      case .notFromThisSession:
        ("This page has expired",
          "The form belongs to another session: you signed in or out since it was opened, or it came from another site.",
          "Go back to the app and start again. If you did not fill in a form here, close this page.")
      case .requestExpired:
        ("This sign-in has expired", "It was started too long ago, or in another browser.",
          "Go back to the app and start again.")
      case .unavailable:
        ("Please try again soon", "The service cannot answer at the moment. Nothing was changed.",
          "Wait a few seconds, then reload this page.")
      }
    return ErrorPage(heading: heading, explanation: explanation, advice: advice, requestID: requestID)
  }
}
