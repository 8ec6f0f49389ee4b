import Cryptography
import HTTPWire
import JSON
import OAuthCore
import Synchronization
import Testing

@testable import CloudVaultDemo

struct CloudVaultTests {
  private let clock = ManualClock()
  private let vault: CloudVault

  init() {
    vault = CloudVault(client: ClientID("postern"), secret: Secret("p s"), clock: clock, random: SystemRandom())
  }

  private func token(
    _ body: String = "grant_type=client_credentials", authorization: String? = "Basic " + Base64.encode(Array("postern:p%20s".utf8)),
    method: String = "POST"
  ) -> HTTPResponse {
    var fields: HTTPFields = ["Content-Type": "application/x-www-form-urlencoded"]
    fields["Authorization"] = authorization
    return vault.tokenEndpoint.answer(
      HTTPRequest(method: method, path: CloudVault.tokenPath, fields: fields, body: Array(body.utf8)))
  }

  private func photos(_ authorization: String?, path: String = CloudVault.photosPath, method: String = "GET") -> HTTPResponse {
    var fields: HTTPFields = [:]
    fields["Authorization"] = authorization
    return vault.photoAPI.answer(HTTPRequest(method: method, path: path, fields: fields))
  }

  private func member(_ response: HTTPResponse, _ name: String) -> JSON? {
    (try? JSON(parsing: response.body))?.object?[name]
  }

  @Test(
    "RFC 6749 §5.2: the demo's token endpoint refuses everybody but its client",
    arguments: [nil, "", "Basic", "Basic !", "Basic cG9zdGVybg==", "Bearer x", "Basic " + Base64.encode(Array("postern:wrong".utf8)),
      "Basic " + Base64.encode(Array("other:p%20s".utf8))])
  func stranger(authorization: String?) {
    let response = token(authorization: authorization)
    #expect(response.status == 401)
    #expect(member(response, "error") == "invalid_client")
    #expect(response.fields["WWW-Authenticate"] == "Basic realm=\"cloudvault\"")
  }

  @Test(
    "RFC 6749 §5.2: bad token requests are answered with their error",
    arguments: [
      ("", "invalid_request"), ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
      ("grant_type=%zz", "invalid_request"), ("grant_type=password", "unsupported_grant_type"),
      ("grant_type=client_credentials&scope=write_photos", "invalid_scope"),
      ("grant_type=client_credentials&scope=a++b", "invalid_scope"),
    ])
  func badRequest(body: String, error: String) {
    let response = token(body)
    #expect(response.status == 400)
    #expect(member(response, "error")?.string == error)
    #expect(response.fields["Cache-Control"] == "no-store")
  }

  @Test("RFC 6750 §3.1: without a live token of CloudVault there are no photos", arguments: [
    nil, "", "Bearer", "Bearer ", "Bearer pat_something", "Basic cG9zdGVybjpwcw==",
  ])
  func locked(authorization: String?) {
    let response = photos(authorization)
    #expect(response.status == 401)
    #expect(response.fields["WWW-Authenticate"]?.hasPrefix("Bearer realm=\"cloudvault\"") == true)
  }

  @Test("A token opens the photos until it expires, and only GET reads them")
  func photoAPI() throws {
    let issued = token("grant_type=client_credentials&scope=read_photos")
    #expect(issued.status == 200)
    #expect(member(issued, "expires_in") == 300)
    #expect(member(issued, "scope") == "read_photos")
    let field = "bearer " + (try #require(member(issued, "access_token")?.string))
    #expect(member(photos(field), "photos")?.array?.count == 3)
    #expect(member(photos(field), "bearer_seen") == true)
    #expect(member(photos(field, path: "/api/v1/photos/2"), "photo")?.object?["title"] == "Grandmother's garden")
    #expect(photos(field, path: "/api/v1/photos/4").status == 404)
    #expect(photos(field, path: "/api/v1/photos/").status == 404)
    #expect(photos(field, method: "DELETE").status == 405)
    clock.advance(by: .seconds(300))
    #expect(photos(field).status == 401)
  }

  @Test("Tokens differ, an altered one is none, and no answer repeats what was presented")
  func tokens() throws {
    let live = try #require(member(token(), "access_token")?.string)
    #expect(member(token(), "access_token")?.string != live)
    #expect(!String(decoding: photos("Bearer \(live)").body, as: UTF8.self).contains(live))
    for position in [3, 20, 40, live.count - 1] {
      var altered = Array(live)
      altered[position] = altered[position] == "A" ? "B" : "A"
      #expect(photos("Bearer \(String(altered))").status == 401)
    }
  }

  @Test("A token that CloudVault issued before it was restarted is good afterwards")
  func restart() throws {
    let live = try #require(member(token(), "access_token")?.string)
    #expect(CloudVaultTests().photos("Bearer \(live)").status == 200)
  }
}

private final class ManualClock: WallClock {
  private let time = Mutex(Timestamp(seconds: 1_700_000_000))
  var now: Timestamp { time.withLock { $0 } }
  func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}
