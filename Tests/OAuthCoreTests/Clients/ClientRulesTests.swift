import OAuthCore
import PosternTesting
import Testing

/// One set of rules for the configuration file and the command line.
@Suite struct ClientRulesTests {
  private let grants: [GrantType] = [.authorizationCode, .clientCredentials, .refreshToken]
  private let explained = ["read", "write"].compactMap { Scope($0) }

  private func objection(_ change: (inout Client) -> Void) -> String? {
    var client = Fixture.web
    change(&client)
    return client.objection(grants: grants, explained: explained)
  }

  @Test("RFC 6749 §2.2: a client id that could be taken for something else is refused", arguments: [
    "", "a:b", "user:alice", "a b", "a\u{e9}", "a\n", String(repeating: "a", count: 129),
  ])
  func id(_ text: String) {
    #expect(objection { $0.id = ClientID(text) } != nil)
  }

  @Test("A name that would disturb the page or the terminal that shows it is refused", arguments: [
    "", "a\u{1b}[31m", "a\nb", "a\u{85}", String(repeating: "a", count: 257),
  ])
  func name(_ text: String) {
    #expect(objection { $0.name = text } != nil)
  }

  @Test("A client without a grant, or with one that is not here, is refused")
  func grantTypes() {
    #expect(objection { $0.grants = [] } != nil)
    #expect(objection { $0.grants.insert(GrantType("urn:example:other")) }?.contains("urn:example:other") == true)
  }

  @Test("RFC 6749 §4.4: a public client cannot have client credentials")
  func publicClientCredentials() {
    #expect(objection { $0.authentication = .none } != nil)
  }

  @Test("RFC 9700 §2.1: the authorization code grant needs redirect URIs, and good ones")
  func redirectURIs() {
    #expect(objection { $0.redirectURIs = [] } != nil)
    #expect(objection { $0.redirectURIs.append("http://web.example/") }?.contains("http://web.example/") == true)
  }

  @Test("RFC 8707 §2: an audience is an absolute URI without a fragment", arguments: [
    "api", "https://a.example/#x", "a b:c", "x:", "",
  ])
  func audience(_ text: String) {
    #expect(objection { $0.audiences = [text] } != nil)
  }

  @Test("Nobody is asked for a scope that the consent page cannot explain, and a service may have any")
  func scopes() {
    #expect(objection { $0.scopes = ["read", "mute"] }?.contains("'mute'") == true)
    #expect(objection { client in
      client.scopes = ["mute"]
      client.grants = [.clientCredentials]
    } == nil)
  }

  @Test("What the fixture's clients are is allowed")
  func good() {
    for client in [Fixture.web, Fixture.other, Fixture.native] {
      #expect(client.objection(grants: grants, explained: explained) == nil)
    }
  }
}
