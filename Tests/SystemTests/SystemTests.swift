import Foundation
import Testing

/// Whole processes on a real PostgreSQL, one deployment after the other: two cores are enough for one at a time.
@Suite(.serialized) struct SystemTests {}

extension Deployment {
  /// `Authorization: Basic` of a client. Source: RFC 6749 §2.3.1.
  static func basic(_ id: String, _ secret: String) -> [String: String] {
    ["Authorization": "Basic " + Data("\(HTTPClient.encode(id)):\(HTTPClient.encode(secret))".utf8).base64EncodedString()]
  }

  var printMyPics: [String: String] { Self.basic("printmypics", clientSecret) }
  var nightlyReport: [String: String] { Self.basic("nightly-report", serviceSecret) }
  /// What this client authenticates with stands in the form.
  var jwtReport: [(String, String)] { [("client_id", "jwt-report"), ("client_secret", serviceSecret)] }

  /// A code for PrintMyPics, by way of the pages.
  func newCode(_ proof: Browser.Proof, scope: String? = nil, port: Int? = nil) throws -> String {
    var browser = Browser(self, port: port)
    let redirect = try browser.authorize(password: password, proof: proof, scope: scope)
    guard let code = redirect.code else { throw Failure(description: "no code in \(redirect.location)") }
    return code
  }

  func redeem(_ code: String, _ verifier: String?, port: Int? = nil) throws -> Answer {
    var form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", Self.redirectURI)]
    if let verifier { form.append(("code_verifier", verifier)) }
    return try HTTPClient.post(port: port ?? self.port, "/oauth/token", form: form, fields: printMyPics)
  }

  func refresh(_ token: String, scope: String? = nil, port: Int? = nil, as fields: [String: String]? = nil) throws -> Answer {
    var form = [("grant_type", "refresh_token"), ("refresh_token", token)]
    if let scope { form.append(("scope", scope)) }
    return try HTTPClient.post(port: port ?? self.port, "/oauth/token", form: form, fields: fields ?? printMyPics)
  }

  func serviceToken(port: Int? = nil) throws -> String { try token(port: port, fields: nightlyReport) }

  /// A token of a client whose tokens are JWTs.
  func serviceJWT(port: Int? = nil) throws -> String { try token(port: port, form: jwtReport) }

  private func token(port: Int?, form: [(String, String)] = [], fields: [String: String] = [:]) throws -> String {
    let answer = try HTTPClient.post(
      port: port ?? self.port, "/oauth/token", form: [("grant_type", "client_credentials")] + form, fields: fields)
    guard answer.status == 200, let token = answer.json["access_token"] as? String else {
      throw Failure(description: "no token: \(answer.status) \(answer.text)")
    }
    return token
  }

  /// Waits for what a process brings about.
  func waitUntil(_ what: String, _ isSo: () throws -> Bool) throws {
    let deadline = Date().addingTimeInterval(20)
    while Date() < deadline {
      if try isSo() { return }
      usleep(20_000)
    }
    throw Failure(description: "it never came that \(what): \(processes[0].logText.suffix(2000))")
  }

  func isActive(_ token: String, port: Int? = nil) throws -> Bool {
    let answer = try HTTPClient.post(
      port: port ?? self.port, "/oauth/introspect", form: [("token", token)], fields: nightlyReport)
    guard answer.status == 200, let active = answer.json["active"] as? Bool else {
      throw Failure(description: "introspection: \(answer.status) \(answer.text)")
    }
    return active
  }
}
