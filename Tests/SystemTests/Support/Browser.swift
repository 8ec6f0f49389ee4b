import Cryptography
import Foundation

/// Alice's browser: keeps cookies, follows redirects within Postern, fills in the forms of its pages.
struct Browser {
  /// The instance that is visited.
  let port: Int
  /// What the address bar shows: the issuer, whichever instance a load balancer picks.
  let origin: String
  private let source: String?
  private var cookies: [String: String] = [:]

  /// - Parameter source: the loopback address that the browser calls from; nil: 127.0.0.1.
  init(_ deployment: Deployment, port: Int? = nil, source: String? = nil) {
    self.source = source
    self.port = port ?? deployment.port
    origin = "http://127.0.0.1:\(deployment.port)"
  }

  /// What the client gets back.
  struct Redirect {
    let location: String
    let parameters: [String: String]
    var code: String? { parameters["code"] }
  }

  /// A PKCE pair. Source: RFC 7636 §4.
  struct Proof {
    let verifier: String
    var challenge: String { Base64URL.encode(SHA256.digest(Array(verifier.utf8)).bytes) }
    init(verifier: String) { self.verifier = verifier }
    init() { verifier = Base64URL.encode((0..<32).map { _ in UInt8.random(in: 0...255) }) }
  }

  /// Walks through authorize, sign-in and consent, up to the redirect to the client.
  mutating func authorize(
    username: String = "alice", password: String, proof: Proof, state: String = "state", scope: String? = nil
  ) throws -> Redirect {
    var target = "/oauth/authorize?response_type=code&client_id=printmypics"
      + "&redirect_uri=\(HTTPClient.encode(Deployment.redirectURI))&state=\(HTTPClient.encode(state))"
      + "&code_challenge=\(proof.challenge)&code_challenge_method=S256"
    if let scope { target += "&scope=\(HTTPClient.encode(scope))" }
    var answer = try visit("GET", target)
    for _ in 0..<8 {
      if let location = answer.field("Location"), (300..<400).contains(answer.status) {
        guard location.hasPrefix("/") || location.hasPrefix("http://127.0.0.1:") else {
          return Redirect(location: location, parameters: Self.parameters(of: location))
        }
        answer = try visit("GET", Self.path(of: location))
        continue
      }
      guard answer.status == 200 else { throw Failure(description: "\(answer.status): \(answer.text.prefix(500))") }
      var form = Self.hiddenFields(of: answer.text)
      if answer.text.contains("action=\"/consent\"") {
        form.append(("decision", "approve"))
        answer = try visit("POST", "/consent", form: form)
      } else {
        form += [("username", username), ("password", password)]
        answer = try visit("POST", "/login", form: form)
      }
    }
    throw Failure(description: "no end to the pages")
  }

  mutating func visit(_ method: String, _ target: String, form: [(String, String)] = []) throws -> Answer {
    var fields = ["Cookie": cookies.map { "\($0)=\($1)" }.joined(separator: "; ")]
    if method == "POST" { fields["Origin"] = origin }
    let answer = method == "POST"
      ? try HTTPClient.post(port: port, target, form: form, fields: fields, from: source)
      : try HTTPClient.send("GET", port: port, target, fields: fields, from: source)
    for cookie in answer.fields("Set-Cookie") {
      let pair = cookie.split(separator: ";")[0].split(separator: "=", maxSplits: 1)
      cookies[String(pair[0])] = pair.count > 1 ? String(pair[1]) : ""
    }
    return answer
  }

  var cookieValues: [String] { Array(cookies.values) }

  /// The hidden inputs of the first form of a page.
  static func hiddenFields(of page: String) -> [(String, String)] {
    let form = page.range(of: "</form>").map { String(page[..<$0.lowerBound]) } ?? page
    return form.components(separatedBy: "<input ").dropFirst().compactMap { input in
      guard input.contains("type=\"hidden\""), let name = attribute("name", of: input) else { return nil }
      return (name, attribute("value", of: input) ?? "")
    }
  }

  private static func attribute(_ name: String, of input: String) -> String? {
    guard let start = input.range(of: "\(name)=\""), let end = input[start.upperBound...].firstIndex(of: "\"") else { return nil }
    return input[start.upperBound..<end].replacingOccurrences(of: "&quot;", with: "\"").replacingOccurrences(of: "&amp;", with: "&")
  }

  private static func path(of location: String) -> String {
    location.hasPrefix("/") ? location : "/" + location.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: true)[2]
  }

  static func parameters(of location: String) -> [String: String] {
    let items = URLComponents(string: location)?.queryItems ?? []
    return Dictionary(items.map { ($0.name, $0.value ?? "") }) { first, _ in first }
  }
}
