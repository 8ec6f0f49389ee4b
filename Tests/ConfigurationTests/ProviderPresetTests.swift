import Broker
import Configuration
import Testing

@Suite("Providers by preset")
struct ProviderPresetTests {
  private static let endpoints = """
        token_endpoint: https://vault.example/token
        grant: client_credentials
    """

  /// The fixture with its provider replaced by a preset and these members.
  private static func file(_ preset: String, _ members: String = "", hosts: String = "allowed_hosts: [127.0.0.1]") -> String {
    Fixture.valid
      .replacing(endpoints, with: "    preset: \(preset)\n    grant: authorization_code\n\(members)")
      .replacing("allowed_hosts: [127.0.0.1]", with: hosts)
      .replacing("kind: client_credentials, provider: vault", with: "kind: connection, provider: vault")
  }

  @Test("every preset has a source and, with a client and a host, makes a provider by itself", arguments: ProviderPreset.all)
  func loads(_ preset: ProviderPreset) throws {
    let provider = try Fixture.load(Self.file(preset.name)).providers[0]
    #expect(preset.source.hasPrefix("https://"))
    #expect(EndpointURL(preset.address)?.scheme == .https)
    #expect(provider.issuer != nil || provider.authorization?.endpoint?.scheme == .https)
    #expect(preset.allowedHosts.allSatisfy { EndpointURL("https://\($0)/")?.host == $0 })
  }

  @Test("there are twenty at least, and each name stands once")
  func enough() {
    let names = ProviderPreset.all.map(\.name)
    #expect(names.count >= 20 && Set(names).count == names.count && names == names.sorted())
  }

  @Test("what the provider says itself wins over its preset, quirks and the way of authenticating included")
  func overriding() throws {
    let slack = try Fixture.load(Self.file("slack")).providers[0]
    #expect(slack.quirks.scopeParameter == "user_scope" && slack.quirks.tokenMember == "authed_user")
    #expect(slack.client.authentication == .basic)
    let google = try Fixture.load(Self.file("google")).providers[0]
    #expect(google.client.authentication == .post)
    #expect(google.quirks.authorizeParameters.contains(ProviderQuirks.Parameter(name: "access_type", value: "offline")))
    let own = try Fixture.load(
      Self.file("slack", "    scope_separator: \" \"\n    token_endpoint: https://other.example/token\n")).providers[0]
    #expect(own.quirks.scopeSeparator == " " && own.quirks.scopeParameter == "user_scope")
    #expect(own.tokenEndpoint?.host == "other.example")
  }

  @Test("a preset's hosts bind its tokens as the provider's own would")
  func hosts() {
    #expect(Fixture.faults(of: Self.file("github", hosts: "release: proxy_only")).contains("does not let its tokens go to 127.0.0.1"))
    #expect(Fixture.faults(of: Self.file("salesforce", hosts: "release: proxy_only")).contains("\"allowed_hosts\" is missing"))
  }

  @Test("an unknown preset is told with the nearest name; no parameter replaces one of the flow's", arguments: [
    (ProviderPresetTests.file("gihub"), "did you mean \"github\""),
    (ProviderPresetTests.file("github", "    authorize_parameters: { state: fixed }\n"), "state is Postern's own parameter"),
    (ProviderPresetTests.file("github", "    scope_separator: \";\"\n"), "scope_separator must be"),
    (ProviderPresetTests.file("github", "    source: https://x.example\n"), "unknown key \"source\""),
  ])
  func faults(file: String, fault: String) {
    #expect(Fixture.faults(of: file).contains(fault), "\(Fixture.faults(of: file))")
  }
}
