import OAuthCore
import Testing

@Suite struct RedirectURITests {
  @Test(
    "RFC 9700 §4.1.3: a redirect URI matches byte for byte, or not at all",
    arguments: [
      "https://web.example/callback/", "https://web.example/callback?x=1", "https://web.example/callback#f",
      "https://web.example/callbackx", "https://web.example/Callback", "https://WEB.example/callback",
      "HTTPS://web.example/callback", "http://web.example/callback", "https://web.example:443/callback",
      "https://web.example/%63allback", "https://web.example/x/../callback", "https://web.example//callback",
      "https://web.example.evil.example/callback", "https://web.example@evil.example/callback",
      "https://user@web.example/callback", "https://web.example\\@evil.example/callback",
      "https://evil.example/callback",
      "https://web.example/callback\u{0}", " https://web.example/callback", "https://web.example/callbac\u{212a}",
      "https://web.example", "", "javascript:alert(1)",
    ])
  func unequal(_ requested: String) {
    #expect(!RedirectURI.matches(requested, registered: "https://web.example/callback"))
  }

  @Test("RFC 3986 §6.2.1: canonically equivalent characters are different characters")
  func unicode() {
    #expect(!RedirectURI.matches("https://web.example/\u{037e}", registered: "https://web.example/;"))
    #expect(!RedirectURI.matches("https://web.example/e\u{301}", registered: "https://web.example/\u{e9}"))
  }

  @Test(
    "RFC 8252 §7.3: the port of a loopback IP literal is free",
    arguments: [
      ("http://127.0.0.1:49152/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1/callback", "http://127.0.0.1:8080/callback"),
      ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/callback"),
      ("http://[::1]:65535/callback", "http://[::1]/callback"),
      ("http://127.0.0.1:80", "http://127.0.0.1"),
      ("http://127.0.0.1:80?x=1", "http://127.0.0.1?x=1"),
    ])
  func loopback(_ requested: String, _ registered: String) {
    #expect(RedirectURI.matches(requested, registered: registered))
  }

  @Test(
    "RFC 8252 §7.3: only the port is free, and only on loopback IP literals",
    arguments: [
      ("http://127.0.0.1:49152/other", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:49152/callback?x=1", "http://127.0.0.1/callback"),
      ("https://127.0.0.1:49152/callback", "https://127.0.0.1/callback"),
      ("http://localhost:49152/callback", "http://localhost/callback"),
      ("http://[::1]:1/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:0/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:65536/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:000080/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:80x/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:80@evil.example/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1@evil.example/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1.evil.example/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.11/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.2:1/callback", "http://127.0.0.1/callback"),
      ("http://127.0.0.1:1/callback#f", "http://127.0.0.1/callback"),
      ("http://app.example:1/callback", "http://app.example/callback"),
    ])
  func notLoopback(_ requested: String, _ registered: String) {
    #expect(!RedirectURI.matches(requested, registered: registered))
  }

  @Test(
    "RFC 6749 §3.1.2: what cannot be registered",
    arguments: [
      "", "relative", "/callback", "https://", "https:callback", "https://web.example/cb#f",
      "https://user@web.example/cb",
      "http://web.example/cb", "http://127.0.0.1.evil.example/", "javascript:alert(1)", "data:text/html,x", "myapp:/cb",
      "https://web.example/c b", "https://web.example/\u{e9}", "https://web.example/\"", "com example:/cb",
      "https://:443/cb", "https://web.example:/cb",
      "https://web.example:65536/cb", "https://web.example:80x/cb", "https://[::1/cb", "https://a%2eb/cb", "https://a,b/cb",
    ])
  func objection(_ uri: String) {
    #expect(RedirectURI.objection(to: uri) != nil)
  }

  @Test(
    "RFC 8252 §7: what can be registered",
    arguments: [
      "https://web.example/cb", "https://web.example/cb?x=1", "https://web.example:8443/cb", "https://[2001:db8::1]:8443/cb",
      "http://127.0.0.1/cb", "http://[::1]/cb",
      "http://127.0.0.1:8080/cb", "http://localhost:3000/cb", "com.example.app:/oauth2redirect",
    ])
  func registrable(_ uri: String) {
    #expect(RedirectURI.objection(to: uri) == nil)
  }
}
