import Testing

@testable import GatewayServer

struct RedirectTargetTests {
  @Test(
    "CSP §2.3.1: form-action names where the redirect URI leads, and nothing a URI holds ends the directive",
    arguments: [
      ("https://app.example/callback?x=1", "app.example", "https:"),
      ("https://app.example:8443/callback", "app.example:8443", "https:"),
      ("https://app.example?x", "app.example", "https:"),
      ("http://127.0.0.1:53123/callback", "an app on this device (127.0.0.1:53123)", "https: http:"),
      ("http://[::1]:53123/callback", "an app on this device ([::1]:53123)", "https: http:"),
      ("com.example.app:/callback", "an app on this device (com.example.app)", "https: com.example.app:"),
      ("https://a;script-src *", "a;script-src *", "https:"),
      ("http://a;script-src *", "a;script-src *", "https: http:"),
      ("x;y:/callback", "an app on this device (x;y)", "https:"),
    ])
  func targets(uri: String, words: String, sources: String) {
    let target = RedirectTarget(uri)
    #expect(target.words == words)
    #expect(target.sources == sources)
  }
}
