import Cryptography
import GatewayServer
import HTTPWire
import JSON
import OAuthCore

/// CloudVault's authorization endpoint: one page on which a user says who they are and what they allow.
///
/// CloudVault is a stage set: it asks for no password. What a client sees of it is the real protocol. Source: RFC 6749 §4.1.1,
/// §4.1.2; RFC 7636; RFC 9207.
public struct DemoAuthorization: Endpoint {
  let client: ClientID
  let users: CloudVault.Users
  let codes: DemoCodes

  /// What the page carries along.
  private static let parameters = [
    "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
  ]
  private static let nameByteCountMax = 64

  public func respond(to request: HTTPRequest) async -> HTTPResponse { answer(request) }

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    switch request.method {
    case "GET", "HEAD": return ask(Array((request.query ?? "").utf8))
    case "POST":
      // Another site's form decides nothing. Source: W3C Fetch Metadata §2.3.
      guard request.fields.all("Sec-Fetch-Site").allSatisfy({ $0 == "same-origin" || $0 == "none" }) else {
        return refuse(403, "This did not come from CloudVault.")
      }
      return decide(request.body)
    default: return HTTPResponse(status: 405, fields: ["Allow": "GET, HEAD, POST"])
    }
  }

  private func ask(_ query: [UInt8]) -> HTTPResponse {
    guard let form = try? FormDecoder.decode(query), form.repeated(except: { _ in false }) == nil else {
      return refuse(400, "This request has no single reading.")
    }
    guard let grant = grant(form, owner: "") else {
      return refuse(400, "CloudVault does not know who asks, or what for. Nothing was allowed.")
    }
    let hidden: [HTML] = Self.parameters.compactMap { name in
      form[name].map { "<input type=\"hidden\" name=\"\(name)\" value=\"\($0)\">" }
    }
    let scopes: [HTML] = grant.scope.scopes.map { "<li>\(Self.meaning(of: $0))</li>" }
    return page(
      title: "Sign in to CloudVault",
      main: """
        <h1>Sign in to CloudVault</h1>
        <p class="lead">Postern wants to use your photos. This demo asks for no password: say who you are.</p>
        <ul>\(scopes)</ul>
        <form method="post" action="\(CloudVault.authorizePath)">
        \(hidden)
        <label for="name">Your name at CloudVault</label>
        <input type="text" id="name" name="name" value="alice" autocomplete="off" autocapitalize="none" spellcheck="false" required maxlength="\(String(Self.nameByteCountMax))">
        <div class="choice">
        <button type="submit" name="decision" value="deny">Deny</button>
        <button class="primary" type="submit" name="decision" value="allow">Allow</button>
        </div>
        </form>
        """)
  }

  private func decide(_ body: [UInt8]) -> HTTPResponse {
    guard let form = try? FormDecoder.decode(body), form.repeated(except: { _ in false }) == nil,
      let name = form["name"], name.utf8.count <= Self.nameByteCountMax, let grant = grant(form, owner: name)
    else { return refuse(400, "This form cannot be read. Nothing was allowed.") }
    var answer = [("iss", users.issuer)]
    if let state = form["state"] { answer.append(("state", state)) }
    answer.append(form["decision"] == "allow" ? ("code", codes.issue(grant)) : ("error", "access_denied"))
    let query = PercentEncoding.form(answer.map { (name: $0.0, value: $0.1) })
    return HTTPResponse(
      status: 303,
      fields: ["Location": "\(grant.redirectURI)?\(query)", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"])
  }

  /// What a request asks for; nil unless it comes from the one client, with PKCE, for scopes that CloudVault has.
  private func grant(_ form: Form, owner: String) -> DemoCodes.Grant? {
    let scope = form["scope"].map { ScopeSet(parameter: $0) } ?? DemoTokenEndpoint.scopes
    guard form["response_type"] == "code", form["client_id"] == client.rawValue, form["redirect_uri"] == users.redirectURI,
      form["code_challenge_method"] == "S256", let challenge = form["code_challenge"], let scope,
      scope.isSubset(of: DemoTokenEndpoint.scopes)
    else { return nil }
    return DemoCodes.Grant(owner: owner, redirectURI: users.redirectURI, challenge: challenge, scope: scope)
  }

  private static func meaning(of scope: Scope) -> String {
    switch scope.rawValue {
    case "read_photos": "See your photos"
    case "list_albums": "List your albums"
    default: scope.rawValue
    }
  }

  // MARK: Pages

  private func refuse(_ status: Int, _ sentence: String) -> HTTPResponse {
    page(status: status, title: "CloudVault", main: "<h1>That did not work</h1><p>\(sentence)</p><p class=\"muted\">Go back to where you came from, and start again.</p>")
  }

  private func page(status: Int = 200, title: String, main: HTML) -> HTTPResponse {
    let style = Base64.encode(SHA256.digest(PrintShopStyle.sheet.source).bytes)
    let whole: HTML = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="robots" content="noindex">
      <title>\(title)</title>
      <link rel="icon" href="data:,">
      <style>\(PrintShopStyle.sheet)</style>
      </head>
      <body>
      <header><span>CloudVault</span></header>
      <main>
      \(main)
      </main>
      </body>
      </html>

      """
    return HTTPResponse(
      status: status,
      fields: [
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy":
          // Browsers apply `form-action` to every redirect that follows, and the client may go on to anywhere.
          // Source: CSP Level 3 §6.4.1.
          "default-src 'none'; style-src 'sha256-\(style)'; img-src data:; form-action 'self' https: http:; base-uri 'none'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
      ],
      body: Array(whole.source.utf8))
  }
}

/// CloudVault's metadata, by which Postern finds its endpoints. Source: RFC 8414 §3.
struct DemoMetadata: Endpoint {
  let users: CloudVault.Users

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    let document: JSONObject = [
      "issuer": .string(users.issuer), "authorization_endpoint": .string(users.issuer + CloudVault.authorizePath),
      "token_endpoint": .string(users.issuer + CloudVault.tokenPath),
      "revocation_endpoint": .string(users.issuer + CloudVault.revokePath), "response_types_supported": ["code"],
      "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
      "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": true,
    ]
    return HTTPResponse(status: 200, fields: ["Content-Type": "application/json"], body: document.bytes)
  }
}
