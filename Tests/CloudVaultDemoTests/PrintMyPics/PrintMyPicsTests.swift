import Broker
import Cryptography
import HTTPWire
import OAuthCore
import PosternTesting
import ReverseProxy
import Testing

@testable import CloudVaultDemo

/// A browser at PrintMyPics, with Postern scripted behind it.
struct PrintMyPicsTests {
  private static let issuer = "http://127.0.0.1:8080"

  private final class Browser {
    let postern: ScriptedPostern
    let app: PrintMyPics
    let clock = ManualClock()
    var cookie: String?

    init(_ postern: ScriptedPostern) {
      self.postern = postern
      app = PrintMyPics(
        client: DemoClient(
          issuer: try! Origin(issuer), id: ClientID("printmypics"), secret: Secret("s 3"),
          redirectURI: "http://127.0.0.1:8081/printmypics/callback"),
        transport: postern, clock: clock, random: SeededRandom())
    }

    func get(_ target: String) async -> HTTPResponse { await send("GET", target) }
    func post(_ path: String, site: String = "same-origin") async -> HTTPResponse { await send("POST", path, site: site) }

    func send(_ method: String, _ target: String, site: String = "none") async -> HTTPResponse {
      let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
      var fields: HTTPFields = ["Sec-Fetch-Site": site]
      fields["Cookie"] = cookie
      let response = await app.respond(
        to: HTTPRequest(method: method, path: parts[0], query: parts.count > 1 ? parts[1] : nil, fields: fields))
      if let set = response.fields["Set-Cookie"] { cookie = String(set.prefix { $0 != ";" }) }
      return response
    }

    /// Starts, and comes back with what Postern would answer.
    func connect() async throws -> HTTPResponse {
      let location = try #require(await post("/printmypics/connect").fields["Location"])
      let form = try FormDecoder.decode(Array(location.split(separator: "?")[1].utf8))
      let state = try #require(form["state"])
      return await get("/printmypics/callback?code=c0de&state=\(state)&iss=\(PercentEncoding.encode(issuer))")
    }
  }

  private func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

  // MARK: What is refused

  @Test("Answers that nobody asked for reach neither Postern nor the visitor's order", arguments: [
    "", "?code=c&state=x", "?error=access_denied", "?code=c&state=x&iss=http%3A%2F%2F127.0.0.1%3A8080",
  ])
  func foreignAnswers(query: String) async {
    let browser = Browser(ScriptedPostern())
    let response = await browser.get("/printmypics/callback" + query)
    #expect(response.status == 400)
    #expect(response.fields["Set-Cookie"] == nil)
    #expect(browser.postern.requests.isEmpty)
  }

  @Test("RFC 6749 §5.2: a refused code is explained, and leaves no order behind", arguments: [
    ScriptedPostern(.json(400, #"{"error":"invalid_grant"}"#)), ScriptedPostern(.json(401, #"{"error":"invalid_client"}"#)),
    ScriptedPostern(.json(503, "<html>")), ScriptedPostern(.json(200, "<html>")), ScriptedPostern(.json(200, "{}")),
    ScriptedPostern(.json(200, #"{"access_token":"a","token_type":"mac"}"#)),
    ScriptedPostern(.json(200, #"{"access_token":"a b","token_type":"Bearer"}"#)),
    ScriptedPostern(.json(200, #"{"access_token":"a\r\nX: y","token_type":"Bearer"}"#)), ScriptedPostern(.failure(.timeout)),
  ])
  func exchangeFails(postern: ScriptedPostern) async throws {
    let browser = Browser(postern)
    #expect(try await browser.connect().status == 502)
    #expect(postern.requests.count == 1)
    #expect(text(await browser.get("/printmypics")).contains("Get my photos"))
  }

  @Test("What Postern answers is shown as text, never as markup")
  func escaped() async throws {
    let browser = Browser(ScriptedPostern(.json(400, #"{"error":"<script>alert(1)</script>"}"#)))
    let page = text(try await browser.connect())
    #expect(page.contains("&lt;script&gt;"))
    #expect(!page.contains("<script>"))
  }

  @Test("Tokens that lead to no photos are given back")
  func givenBack() async throws {
    let postern = ScriptedPostern(.tokens("pat_1", refresh: "prt_1"), .json(403, "{}"), .json(200, ""))
    let browser = Browser(postern)
    let response = try await browser.connect()
    #expect(response.status == 502)
    #expect(text(response).contains("The photos did not come"))
    #expect(postern.requests.last?.url == EndpointURL("\(Self.issuer)/oauth/revoke"))
    #expect(postern.requests.last?.form == Secret("token=prt_1&token_type_hint=refresh_token"))
  }

  @Test("Who has not connected CloudVault is led to Postern's own address for it, and nowhere else", arguments: [
    ("http://127.0.0.1:8080/connect/my-cloudvault", true), ("https://evil.example/connect", false),
    ("http://127.0.0.1:8080.evil.example/", false), ("javascript:alert(1)", false),
  ])
  func notConnected(address: String, isShown: Bool) async throws {
    let postern = ScriptedPostern(.tokens("pat_1", refresh: "prt_1"), .json(424, #"{"connect_url":"\#(address)"}"#), .json(200, ""))
    let response = try await Browser(postern).connect()
    #expect(response.status == (isShown ? 200 : 502))
    #expect(text(response).contains("href=\"\(address)\"") == isShown)
    // The tokens lead to nothing yet, so they are given back.
    #expect(postern.requests.last?.url == EndpointURL("\(Self.issuer)/oauth/revoke"))
  }

  @Test("Another site's form does nothing", arguments: ["cross-site", "same-site"])
  func foreignForm(site: String) async throws {
    let postern = ScriptedPostern(.tokens("pat_1", refresh: "prt_1"), .photos)
    let browser = Browser(postern)
    _ = try await browser.connect()
    for path in ["/printmypics/connect", "/printmypics/print", "/printmypics/forget"] {
      #expect(await browser.post(path, site: site).status == 403)
      #expect(await browser.get(path).status == 405)
    }
    #expect(postern.requests.count == 2)
    #expect(await browser.post("/printmypics/callback").status == 405)
    #expect(await browser.get("/printmypics/other").status == 404)
  }

  // MARK: What is done

  @Test("RFC 6749 §4.1.3: code, verifier and client secret go to the token endpoint, the access token to the gateway")
  func connected() async throws {
    let postern = ScriptedPostern(.tokens("pat_1", refresh: "prt_1"), .photos)
    let browser = Browser(postern)
    let response = try await browser.connect()
    #expect(response.status == 303)
    #expect(response.fields["Location"] == "/printmypics")

    let exchange = try #require(postern.requests.first)
    #expect(exchange.url == EndpointURL("\(Self.issuer)/oauth/token"))
    #expect(exchange.authorization == Secret("Basic " + Base64.encode(Array("printmypics:s%203".utf8))))
    let form = try FormDecoder.decode(try #require(exchange.form).exposedBytes)
    #expect(form["grant_type"] == "authorization_code")
    #expect(form["code"] == "c0de")
    #expect(form["redirect_uri"] == "http://127.0.0.1:8081/printmypics/callback")
    #expect(form["code_verifier"].map(ProofKey.isVerifier) == true)

    let call = try #require(postern.requests.last)
    #expect(call.url == EndpointURL("\(Self.issuer)/photos"))
    #expect(call.form == nil)
    #expect(call.authorization == Secret("Bearer pat_1"))
  }

  @Test("The page shows the photos and no token")
  func order() async throws {
    let browser = Browser(ScriptedPostern(.tokens("pat_1", refresh: "prt_1"), .photos))
    _ = try await browser.connect()
    let page = text(await browser.get("/printmypics"))
    #expect(page.contains("Dawn &lt;3"))
    #expect(page.contains("Snow"))
    #expect(page.contains("<footer><p>"))
    #expect(!page.contains("HTML("))
    for secret in ["pat_1", "prt_1", "c0de", "s 3"] { #expect(!page.contains(secret)) }
  }

  @Test("RFC 9700 §4.14.2: each renewal sends the newest refresh token, also after one whose photos failed")
  func renewal() async throws {
    let postern = ScriptedPostern(
      .tokens("pat_1", refresh: "prt_1"), .photos, .tokens("pat_2", refresh: "prt_2"), .json(503, ""),
      .json(200, #"{"access_token":"pat_3","token_type":"bearer"}"#), .photos, .tokens("pat_4", refresh: "prt_4"), .photos)
    let browser = Browser(postern)
    _ = try await browser.connect()
    #expect(await browser.post("/printmypics/print").status == 502)
    #expect(await browser.post("/printmypics/print").status == 303)
    #expect(await browser.post("/printmypics/print").status == 303)
    let sent = postern.requests.compactMap(\.form).map { form in
      (try? FormDecoder.decode(form.exposedBytes))?["refresh_token"]
    }
    #expect(sent == [nil, "prt_1", "prt_2", "prt_2"])
    #expect(postern.requests.filter { $0.form == nil }.map(\.authorization) == ["pat_1", "pat_2", "pat_3", "pat_4"].map { Secret("Bearer \($0)") })
    #expect(text(await browser.get("/printmypics")).contains("Fetched again"))
  }

  @Test("RFC 6749 §5.2: a refresh token that is no longer good ends the order, with a page that says so")
  func accessEnded() async throws {
    let postern = ScriptedPostern(
      .tokens("pat_1", refresh: "prt_1"), .photos, .json(400, #"{"error":"invalid_grant"}"#))
    let browser = Browser(postern)
    _ = try await browser.connect()
    #expect(text(await browser.post("/printmypics/print")).contains("no access any more"))
    #expect(text(await browser.get("/printmypics")).contains("Get my photos"))
  }

  @Test("RFC 7009 §2.1: forgetting revokes the refresh token, and is honest when that fails", arguments: [200, 503])
  func forgotten(status: Int) async throws {
    let postern = ScriptedPostern(.tokens("pat_1", refresh: "prt_1"), .photos, .json(status, ""))
    let browser = Browser(postern)
    _ = try await browser.connect()
    let response = await browser.post("/printmypics/forget")
    #expect(text(response).contains(status == 200 ? "has forgotten you" : "could not tell Postern"))
    #expect(response.fields["Set-Cookie"]?.hasPrefix("printmypics=; Max-Age=0") == true)
    #expect(postern.requests.last?.form == Secret("token=prt_1&token_type_hint=refresh_token"))
    #expect(await browser.post("/printmypics/print").status == 303)
    #expect(postern.requests.count == 3)
  }

  @Test("RFC 6749 §5.1: without a refresh token nobody is promised another print")
  func noRefreshToken() async throws {
    let postern = ScriptedPostern(.json(200, #"{"access_token":"pat_1","token_type":"Bearer"}"#), .photos, .json(200, ""))
    let browser = Browser(postern)
    _ = try await browser.connect()
    #expect(!text(await browser.get("/printmypics")).contains("Print again"))
    #expect(await browser.post("/printmypics/print").status == 303)
    _ = await browser.post("/printmypics/forget")
    #expect(postern.requests.last?.form == Secret("token=pat_1&token_type_hint=access_token"))
  }

  @Test("RFC 6749 §4.1.2.1: a denial is met with a friendly page and no call")
  func denied() async throws {
    let browser = Browser(ScriptedPostern())
    let location = try #require(await browser.post("/printmypics/connect").fields["Location"])
    let state = try #require(try FormDecoder.decode(Array(location.split(separator: "?")[1].utf8))["state"])
    let answer = "/printmypics/callback?error=access_denied&state=\(state)&iss=\(PercentEncoding.encode(Self.issuer))"
    let response = await browser.get(answer)
    #expect(response.status == 200)
    #expect(text(response).contains("You said no"))
    #expect(await browser.get(answer).status == 400)
    #expect(browser.postern.requests.isEmpty)
  }

  @Test("Every page refuses scripts, frames, caches and referrers")
  func policy() async {
    let browser = Browser(ScriptedPostern())
    for target in ["/printmypics", "/printmypics/callback", "/printmypics/other"] {
      let response = await browser.get(target)
      let policy = response.fields["Content-Security-Policy"] ?? ""
      #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
      #expect(policy.contains("form-action 'self' http://127.0.0.1:8080;"))
      #expect(policy.contains("frame-ancestors 'none'"))
      #expect(response.fields["Cache-Control"] == "no-store")
      #expect(response.fields["Referrer-Policy"] == "no-referrer")
      #expect(!text(response).contains("<script"))
    }
  }
}
