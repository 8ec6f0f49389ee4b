import Cryptography
import GatewayServer
import HTTPWire
import ReverseProxy

/// PrintMyPics's pages: no script, nothing loaded from elsewhere, no token ever.
struct PrintShopPages: Sendable {
  let issuer: Origin
  /// Of the gateway's route.
  let photosPath: String
  private let policy: String

  init(issuer: Origin, photosPath: String) {
    self.issuer = issuer
    self.photosPath = photosPath
    // Browsers apply `form-action` to redirects, too: asking leads to Postern. Source: CSP Level 3 §6.4.1.
    let style = Base64.encode(SHA256.digest(PrintShopStyle.sheet.source).bytes)
    policy =
      "default-src 'none'; style-src 'sha256-\(style)'; img-src data:; form-action 'self' \(issuer.description); base-uri 'none'; frame-ancestors 'none'"
  }

  // MARK: Where a visitor stands

  var welcome: HTTPResponse {
    page(
      title: "Print your CloudVault photos",
      main: """
        <h1>PrintMyPics: print your CloudVault photos</h1>
        <p class="lead">Your photos are at CloudVault. Allow PrintMyPics to see them, and it prints them for you.</p>
        <p>You will be sent to <strong>\(issuer.authority)</strong> to sign in. Your password is typed there and nowhere else;
        what PrintMyPics gets is a permission to see your photos, which you can take back.</p>
        <form class="submit" method="post" action="\(PrintMyPics.connectPath)">
        <button class="primary" type="submit">Get my photos from CloudVault</button>
        </form>
        """)
  }

  func order(_ order: Order) -> HTTPResponse {
    let count = order.photos.count == 1 ? "1 photo" : "\(order.photos.count) photos"
    let photos: [HTML] = order.photos.map { "<li>\(Self.picture)\($0.title)</li>" }
    let steps: [HTML] = steps(of: order).map { "<li>\($0)</li>" }
    var (promise, again): (HTML, HTML) = ("", "")
    if order.tokens.refresh != nil {
      promise = "<p class=\"submit\">PrintMyPics can print again later, without you at the keyboard.</p>"
      again = """
        <form method="post" action="\(PrintMyPics.printPath)">
        <button class="primary" type="submit">Print again later</button>
        </form>
        """
    }
    return page(
      title: "Your prints", isWide: true,
      main: """
        <h1>\(count) ready to print</h1>
        <p class="lead">\(order.story == .connected ? "Fresh from CloudVault, with your permission." : "Fetched again, without asking you again.")</p>
        <ul class="photos">\(photos)</ul>
        <h2>What just happened</h2>
        <ol class="steps">\(steps)</ol>
        \(promise)
        <div class="choice">
        <form method="post" action="\(PrintMyPics.forgetPath)"><button type="submit">Forget me</button></form>
        \(again)
        </div>
        """,
      footer: """
        <p>You can also take the permission back at Postern, on <a href="\(issuer.description)/account">your account page</a>.</p>
        """)
  }

  private func steps(of order: Order) -> [HTML] {
    let fetched: [HTML] = [
      "PrintMyPics called <code>GET \(photosPath)</code> at Postern with its access token. Postern checked it, took it out, and put CloudVault’s own token in its place.",
      "CloudVault answered. It never saw PrintMyPics’s token, and PrintMyPics never saw CloudVault’s.",
    ]
    switch order.story {
    case .connected:
      return [
        "PrintMyPics sent your browser to Postern with a fresh <code>state</code> and a code challenge. The code verifier behind the challenge stayed on its server.",
        "You signed in at \(issuer.authority) and gave your permission, now or earlier. PrintMyPics never saw your password.",
        "Your browser came back with a code. PrintMyPics compared <code>state</code> and <code>iss</code> with what it expected before it believed it.",
        "Server to server, PrintMyPics exchanged the code, with its client secret and the code verifier, for an access token and a refresh token.",
      ] + fetched
    case .renewed:
      return [
        "PrintMyPics exchanged its refresh token for a new access token, server to server. Nobody had to sign in.",
        "The refresh token was replaced, too: the old one is used up, and PrintMyPics kept the new one.",
      ] + fetched
    }
  }

  // MARK: What did not work

  func refusal(_ refusal: AnswerRefusal) -> HTTPResponse {
    switch refusal {
    case .denied:
      return notice(
        200, "You said no", "That is fine. PrintMyPics has got nothing, and your photos stay where they are.",
        "If you change your mind, start again.")
    case .unreadable:
      return notice(400, "This answer cannot be read", "A parameter occurs twice, or is not encoded properly.")
    case .stateMissing:
      return notice(
        400, "This answer has no state",
        "PrintMyPics gives every question a random state and expects it back. An answer without it may have been made by somebody else, so it was not used.")
    case .notAsked:
      return notice(
        400, "PrintMyPics did not ask for this",
        "No question is open in this browser. Perhaps this page was loaded a second time: an answer counts once. Or somebody sent you a link that carries their own answer; it was not used.")
    case .stateDifferent:
      return notice(
        400, "This answer belongs to another question",
        "Its state is not the one that PrintMyPics gave this browser. Somebody may be trying to slip you their own account, so the answer was not used.")
    case .expired:
      return notice(400, "This took too long", "PrintMyPics waits ten minutes for an answer.")
    case .issuerDifferent:
      return notice(
        400, "This answer comes from somebody else",
        "PrintMyPics asked \(issuer.authority), and the answer does not say that it comes from there, so it was not used.")
    case .failed(let code):
      return notice(502, "Postern could not answer", "It says: \(code).")
    case .codeMissing:
      return notice(400, "This answer is empty", "It holds neither a code nor an error.")
    }
  }

  func failure(_ failure: CallFailure) -> HTTPResponse {
    switch failure {
    case .unreachable:
      return notice(502, "Postern cannot be reached", "PrintMyPics got no answer from \(issuer.authority).", Self.later)
    case .unreadable:
      return notice(502, "PrintMyPics does not understand", "\(issuer.authority) answered with something unexpected.", Self.later)
    case .noPhotos(let status):
      return notice(
        502, "The photos did not come", "Postern let PrintMyPics in, but GET \(photosPath) was answered with status \(String(status)).",
        Self.later)
    case .notConnected(let address):
      // Nowhere but to the Postern that this shop has a contract with.
      guard address.hasPrefix("\(issuer)/") else { return self.failure(.unreadable) }
      return page(
        title: "Connect your CloudVault account",
        main: """
          <h1>Connect your CloudVault account</h1>
          <p>You let PrintMyPics in, but Postern does not know your account at CloudVault yet. Connect it there: CloudVault asks
          you itself, and its tokens stay with Postern.</p>
          <p class="muted">Then come back and start again: <a href="\(PrintMyPics.homePath)">Back to PrintMyPics</a></p>
          <p class="submit"><a class="button" href="\(address)">Connect CloudVault</a></p>
          """)
    case .refused(let status, let code):
      let reason = code.map { "\($0) (status \(status))" } ?? "status \(status)"
      return notice(502, "PrintMyPics was turned away", "\(issuer.authority) answered: \(reason).", Self.later)
    }
  }

  var accessEnded: HTTPResponse {
    notice(
      200, "PrintMyPics has no access any more",
      "Its refresh token is no longer good: you took the permission back, or it ran out. PrintMyPics has forgotten you.",
      "To print again, start again.")
  }

  var forgotten: HTTPResponse {
    leaving(
      "PrintMyPics has forgotten you",
      "It told Postern to end its tokens, which stopped working at that moment, and threw away what it knew.",
      "That you once gave the permission stays noted on your account page at Postern, where you can remove it, too.")
  }

  var forgottenHereOnly: HTTPResponse {
    leaving(
      "PrintMyPics has thrown its tokens away",
      "But it could not tell Postern to end them.", "To be certain, remove its access on your account page at Postern.")
  }

  var foreignForm: HTTPResponse {
    notice(403, "This did not come from PrintMyPics", "Another site’s page sent this form, so nothing was done.")
  }

  var notFound: HTTPResponse { notice(404, "There is no such page", "Perhaps the address was mistyped.", "Start here.") }

  func methodNotAllowed(allow: String) -> HTTPResponse {
    var response = notice(405, "This does not work like that", "This address is for something else.", "Start here.")
    response.fields.append("Allow", allow)
    return response
  }

  // MARK: Frame

  private static let later = "Try again in a moment."

  private func notice(
    _ status: Int, _ heading: String, _ explanation: String, _ advice: String = "Nothing has happened. You can start again."
  ) -> HTTPResponse {
    page(
      status: status, title: heading,
      main: """
        <h1>\(heading)</h1>
        <p>\(explanation)</p>
        <p class="muted">\(advice)</p>
        <p class="submit"><a class="button" href="\(PrintMyPics.homePath)">Back to PrintMyPics</a></p>
        """)
  }

  private func leaving(_ heading: String, _ explanation: String, _ advice: String) -> HTTPResponse {
    var response = notice(200, heading, explanation, advice)
    response.fields.append("Set-Cookie", VisitCookie.clearing)
    return response
  }

  private func page(
    status: Int = 200, title: String, isWide: Bool = false, main: HTML, footer: HTML? = nil
  ) -> HTTPResponse {
    let wide: HTML = isWide ? " class=\"wide\"" : ""
    var below: HTML = ""
    if let footer { below = "<footer>\(footer)</footer>" }
    let whole: HTML = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="robots" content="noindex">
      <title>\(title) · PrintMyPics</title>
      <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='%2398235a' d='M4 6h24v20H4zm3 3v11l6-6 5 5 3-3 4 4V9z'/%3E%3C/svg%3E">
      <style>\(PrintShopStyle.sheet)</style>
      </head>
      <body>
      <header>
      <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><path fill="currentColor" fill-rule="evenodd" d="M4 6h24v20H4zm3 3v11l6-6 5 5 3-3 4 4V9z"/></svg>
      <span>PrintMyPics</span>
      </header>
      <main\(wide)>
      \(main)
      </main>
      \(below)
      </body>
      </html>

      """
    return HTTPResponse(
      status: status,
      fields: [
        "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy, "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
      ],
      body: Array(whole.source.utf8))
  }

  /// Stands for a photo: a place with a sun over it.
  private static let picture: HTML = """
    <svg viewBox="0 0 120 80" aria-hidden="true" focusable="false"><circle class="sun" cx="88" cy="24" r="11"/><path class="far" d="M0 62l34-30 30 24 22-16 34 26v14H0z"/><path class="near" d="M0 72l26-18 32 16 30-12 32 14v8H0z"/></svg>
    """
}
