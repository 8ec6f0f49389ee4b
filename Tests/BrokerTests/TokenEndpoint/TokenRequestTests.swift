import Cryptography
import Testing

@testable import Broker

struct TokenRequestTests {
  private func http(_ provider: Provider) -> ProviderRequest {
    let request = TokenRequest(provider: provider, deadline: .seconds(1))
    return provider.client.authenticatedRequest(to: provider.tokenEndpoint!, request.parameters, deadline: .seconds(1))
  }

  @Test("RFC 6749 §2.3.1: identifier and secret are form-encoded before Basic joins them")
  func basic() {
    var provider = Provider.cloudVault(secret: "p:a ss+é")
    provider.client.id = "id:1"
    let request = http(provider)
    #expect(request.authorization == Secret("Basic " + Base64.encode(Array("id%3A1:p%3Aa%20ss%2B%C3%A9".utf8))))
    #expect(request.form == Secret("grant_type=client_credentials&scope=read_photos"))
  }

  @Test("RFC 6749 §2.3.1: with client_secret_post the credentials stand in the body and nowhere else")
  func post() {
    let request = http(.cloudVault(secret: "a&b", authentication: .post, scopes: []))
    #expect(request.authorization == nil)
    #expect(request.form == Secret("grant_type=client_credentials&client_id=postern&client_secret=a%26b"))
  }

  @Test("RFC 8707 §2: every resource is a parameter of its own; audience and separator are the provider's habits")
  func parameters() {
    var provider = Provider.cloudVault(scopes: ["a", "b"])
    provider.quirks.scopeSeparator = ","
    provider.audience = "https://api"
    provider.resources = ["https://r/1", "https://r/2"]
    #expect(
      http(provider).form
        == Secret(
          "grant_type=client_credentials&scope=a%2Cb&audience=https%3A%2F%2Fapi"
            + "&resource=https%3A%2F%2Fr%2F1&resource=https%3A%2F%2Fr%2F2"))
  }

  @Test("The fingerprint tells requests apart and holds no secret")
  func fingerprint() {
    func fingerprint(_ provider: Provider) -> String { TokenRequest(provider: provider, deadline: .zero).fingerprint }
    let original = fingerprint(.cloudVault())
    #expect(!original.contains("s3cret"))
    #expect(fingerprint(.cloudVault(secret: "other", authentication: .post)) == original)
    #expect(fingerprint(.cloudVault(scopes: [])) != original)
    var moved = Provider.cloudVault()
    moved.tokenEndpoint = EndpointURL("https://cloudvault.example/token2")!
    #expect(fingerprint(moved) != original)
  }
}
