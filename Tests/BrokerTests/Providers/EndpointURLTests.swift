import Broker
import Testing

struct EndpointURLTests {
  @Test(
    "URLs that two readers could read differently are refused",
    arguments: [
      "", "/token", "https:", "https://", "https:///token", "ftp://a/", "javascript://a/", "https:/a/token",
      "https://user@a/", "https://user:pass@a/", "https://a@b@c/", "https://a/#x", "https://a/ b", "https://a\\b/",
      "https://a/\u{0}", "https://a/\r\nHost: b", "https://é.example/", "https://a%2eb/", "https://a:0/", "https://a:65536/",
      "https://a:-1/", "https://a:/", "https://a:1:2/", "https://[::1/", "https://[]/", "https://[a]/", "https://[::1]x/",
      "https://[fe80::1%25eth0]/", "https://a..b/", "https://a./", "https://.a/", "https://2130706433/", "https://127.1/",
      "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://0x7f000001/", "https://127.0.0.0x1/", "https://1.2.3.256/",
      "https://1.2.3.4.5/", "https://1.2.3.04/",
    ])
  func refused(text: String) {
    #expect(EndpointURL(text) == nil)
  }

  @Test("A URL is taken apart once")
  func parts() throws {
    let plain = try #require(EndpointURL("HTTPS://Auth.Example/token?x=1"))
    #expect((plain.scheme, plain.host, plain.port, plain.target) == (.https, "auth.example", 443, "/token?x=1"))
    #expect(plain.origin == "https://auth.example")
    let local = try #require(EndpointURL("http://[::1]:8080"))
    #expect((local.scheme, local.host, local.port, local.target) == (.http, "::1", 8080, "/"))
    #expect(local.description == "http://[::1]:8080/")
    #expect(EndpointURL("https://a?x")?.target == "/?x")
    #expect(EndpointURL("https://10.0.0.1/")?.host == "10.0.0.1")
    #expect(EndpointURL("https://a/" + String(repeating: "b", count: 2038)) != nil)
    #expect(EndpointURL("https://a/" + String(repeating: "b", count: 2039)) == nil)
  }

  @Test("A provider's tokens go to its allowed hosts only, compared without case")
  func allowedHosts() {
    let provider = Provider.cloudVault()
    #expect(provider.allows(host: "API.cloudvault.example"))
    #expect(!provider.allows(host: "cloudvault.example"))
    #expect(!provider.allows(host: "x.api.cloudvault.example"))
  }
}
