import OAuthCore
import Testing

@Suite struct GrantRegistryTests {
  private struct Sample: GrantHandler {
    var descriptor: GrantDescriptor
    func parse(_ form: GrantForm) throws(OAuthError) {}
    func plan(_ request: Void, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan { throw .grantRefused }
  }

  private func sample(_ type: String, _ parameters: [GrantParameter] = []) -> Sample {
    Sample(descriptor: GrantDescriptor(grantType: GrantType(type), parameters: parameters))
  }

  @Test("A grant registered twice stops the process at start")
  func duplicate() {
    #expect(throws: GrantRegistry.Mistake.duplicate(GrantType("urn:example:a"))) {
      try GrantRegistry([sample("urn:example:a"), sample("urn:example:b"), sample("urn:example:a")])
    }
  }

  @Test("RFC 9700 §2.4, §2.1.2: password and implicit cannot even be plugged in", arguments: ["password", "implicit"])
  func reserved(_ type: String) {
    #expect(throws: GrantRegistry.Mistake.reserved(GrantType(type))) { try GrantRegistry([sample(type)]) }
  }

  @Test(
    "RFC 6749 appendix A.10: a grant type is a name or a URI",
    arguments: ["", "a b", "a/b", "urn:a b", "é", "a\"b", "urn:\"x"])
  func badName(_ type: String) {
    #expect(throws: GrantRegistry.Mistake.badName(GrantType(type))) { try GrantRegistry([sample(type)]) }
  }

  @Test(
    "A grant cannot declare what the token endpoint reads itself",
    arguments: ["grant_type", "client_id", "client_secret"])
  func coreParameter(_ name: String) {
    #expect(throws: GrantRegistry.Mistake.coreParameter(GrantType("urn:x:y"), parameter: name)) {
      try GrantRegistry([sample("urn:x:y", [GrantParameter(name, .optional)])])
    }
  }

  @Test("Grants are offered in the order of registration, and nothing else is")
  func order() throws {
    let registry = try GrantRegistry([sample("urn:x:b"), sample("urn:x:a")])
    #expect(registry.grantTypes == [GrantType("urn:x:b"), GrantType("urn:x:a")])
    #expect(registry.contains(GrantType("urn:x:a")))
    #expect(!registry.contains(.authorizationCode))
  }
}
