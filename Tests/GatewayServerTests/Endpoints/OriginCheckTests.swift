import HTTPWire
import ReverseProxy
import Testing

@testable import GatewayServer

struct OriginCheckTests {
  private let check = OriginCheck(Origin(scheme: .https, host: "auth.example.com", port: 443))

  private func allows(_ fields: HTTPFields) -> Bool {
    check.allows(HTTPRequest(method: "POST", path: "/login", fields: fields))
  }

  @Test(
    "RFC 6454 §7: another site's form is refused",
    arguments: [
      "https://evil.example", "http://auth.example.com", "https://auth.example.com:8443", "https://auth.example.com.evil.example",
    ])
  func foreignOrigin(origin: String) { #expect(!allows(["Origin": origin])) }

  @Test("Fetch Metadata §2.3: a form from another site or another host of the same site is refused")
  func foreignSite() {
    #expect(!allows(["Sec-Fetch-Site": "cross-site"]))
    #expect(!allows(["Origin": "null", "Sec-Fetch-Site": "same-site"]))
    #expect(!allows(["Sec-Fetch-Site": "same-origin", "Sec-Fetch-Site": "cross-site"]))
  }

  @Test("our own form passes, also where the browser hides the origin or says nothing")
  func own() {
    #expect(allows(["Origin": "https://auth.example.com", "Sec-Fetch-Site": "same-origin"]))
    #expect(allows(["Origin": "null", "Sec-Fetch-Site": "same-origin"]))
    #expect(allows(["Sec-Fetch-Site": "none"]))
    #expect(allows([:]))
  }
}
