import Cryptography
import HTTPWire
import JSON
import OAuthCore
import PosternTesting
import Testing

@testable import CloudVaultDemo

@Suite("CloudVault asks its users")
struct DemoAuthorizationTests {
  private let clock = ManualClock()
  private let vault: CloudVault
  private let authorization: DemoAuthorization

  private static let users = CloudVault.Users(
    issuer: "http://127.0.0.1:8081", redirectURI: "http://127.0.0.1:8080/connect/my-cloudvault/callback")
  private static let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

  init() {
    vault = CloudVault(
      client: ClientID("postern"), secret: Secret("s"), users: Self.users, clock: clock, random: SystemRandom())
    authorization = DemoAuthorization(client: ClientID("postern"), users: Self.users, codes: vault.tokenEndpoint.codes)
  }

  private func parameters(_ changes: [String: String?] = [:]) -> String {
    var all: [String: String?] = [
      "response_type": "code", "client_id": "postern", "redirect_uri": Self.users.redirectURI, "state": "x&y",
      "scope": "read_photos", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
    ]
    all.merge(changes) { $1 }
    return PercentEncoding.form(all.compactMap { name, value in value.map { (name: name, value: $0) } })
  }

  private func decide(_ changes: [String: String?] = [:], site: String = "same-origin") -> HTTPResponse {
    var changes = changes
    if changes["name"] == nil { changes["name"] = "alice" }
    if changes["decision"] == nil { changes["decision"] = "allow" }
    return authorization.answer(
      HTTPRequest(
        method: "POST", path: CloudVault.authorizePath, fields: ["Sec-Fetch-Site": site], body: Array(parameters(changes).utf8)))
  }

  private func answer(_ response: HTTPResponse) throws -> Form {
    let location = try #require(response.fields["Location"])
    #expect(location.hasPrefix(Self.users.redirectURI + "?"))
    return try FormDecoder.decode(Array(location.dropFirst(Self.users.redirectURI.utf8.count + 1).utf8))
  }

  private func token(_ form: String) throws -> (Int, JSONObject) {
    let response = vault.tokenEndpoint.answer(
      HTTPRequest(
        method: "POST", path: CloudVault.tokenPath,
        fields: ["Authorization": "Basic " + Base64.encode(Array("postern:s".utf8))], body: Array(form.utf8)))
    return (response.status, try #require(JSON(parsing: response.body).object))
  }

  private func redeem(_ code: String, verifier: String = verifier) throws -> (Int, JSONObject) {
    try token(
      PercentEncoding.form([
        (name: "grant_type", value: "authorization_code"), (name: "code", value: code),
        (name: "redirect_uri", value: Self.users.redirectURI), (name: "code_verifier", value: verifier),
      ]))
  }

  @Test("RFC 6749 §4.1.2.1, RFC 7636 §4.4.1: whoever asks wrongly is sent nowhere", arguments: [
    ("client_id", "other"), ("redirect_uri", "http://127.0.0.1:8080/other"), ("response_type", "token"),
    ("code_challenge", nil), ("code_challenge_method", "plain"), ("scope", "read_photos admin"),
  ] as [(String, String?)])
  func refused(name: String, value: String?) {
    let shown = authorization.answer(
      HTTPRequest(method: "GET", path: CloudVault.authorizePath, query: parameters([name: value])))
    #expect(shown.status == 400 && shown.fields["Location"] == nil)
    #expect(decide([name: value]).status == 400)
  }

  @Test("the page says what is allowed, as text; another site's form decides nothing")
  func page() {
    let shown = authorization.answer(
      HTTPRequest(method: "GET", path: CloudVault.authorizePath, query: parameters(["state": "\"><script>"])))
    let text = String(decoding: shown.body, as: UTF8.self)
    #expect(shown.status == 200 && text.contains("See your photos") && !text.contains("<script>"))
    #expect(decide(site: "cross-site").status == 403)
  }

  @Test("RFC 6749 §4.1.2, §4.1.3, §6; RFC 7636 §4.6: a code is for its verifier and once; what follows is its user's, until revoked")
  func wholeWay() throws {
    let allowed = try answer(decide())
    #expect(allowed["state"] == "x&y" && allowed["iss"] == Self.users.issuer)
    #expect(try redeem(try #require(allowed["code"]), verifier: String(repeating: "w", count: 43)).0 == 400)
    #expect(try redeem(try #require(allowed["code"])).0 == 400)

    let code = try #require(try answer(decide())["code"])
    let (status, tokens) = try redeem(code)
    #expect(status == 200)
    #expect(try redeem(code).1["error"] == "invalid_grant")
    let access = try #require(tokens["access_token"]?.string)
    let photos = vault.photoAPI.answer(
      HTTPRequest(method: "GET", path: CloudVault.photosPath, fields: ["Authorization": "Bearer \(access)"]))
    #expect(try JSON(parsing: photos.body).object?["owner"] == "alice")
    let refresh = try #require(tokens["refresh_token"]?.string)
    // Neither stands for the other.
    #expect(try token("grant_type=refresh_token&refresh_token=\(access)").0 == 400)
    clock.advance(by: .seconds(3600))
    #expect(try token("grant_type=refresh_token&refresh_token=\(refresh)").0 == 200)
    let revoked = vault.tokenEndpoint.revoke(
      HTTPRequest(
        method: "POST", path: CloudVault.revokePath,
        fields: ["Authorization": "Basic " + Base64.encode(Array("postern:s".utf8))], body: Array("token=\(refresh)".utf8)))
    #expect(revoked.status == 200)
    #expect(try token("grant_type=refresh_token&refresh_token=\(refresh)").1["error"] == "invalid_grant")
  }

  @Test("RFC 6749 §4.1.2.1: a no is access_denied; a code dies after a minute")
  func deniedAndExpired() throws {
    let denied = try answer(decide(["decision": "deny"]))
    #expect(denied["error"] == "access_denied" && denied["code"] == nil)
    let code = try #require(try answer(decide())["code"])
    clock.advance(by: .seconds(60))
    #expect(try redeem(code).0 == 400)
  }
}
