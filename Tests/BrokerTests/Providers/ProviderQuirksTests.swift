import Cryptography
import OAuthCore
import PosternTesting
import Testing

@testable import Broker

@Suite("Providers that differ from the standards")
struct ProviderQuirksTests {
  private func sent(_ change: (inout Provider) -> Void) -> [String: String] {
    var provider = Provider.connectable()
    provider.scopes = ["a", "b"]
    provider.resources = ["https://r"]
    change(&provider)
    let parameters = AuthorizationParameters(
      redirectURI: "https://auth.example.com/cb", state: "s", secrets: ConnectSecrets(verifier: Secret("v")))
    return Dictionary(parameters.pairs(for: provider).map { ($0.name, $0.value) }) { first, _ in first }
  }

  @Test("scopes by another name and separator, further parameters, resource left out where it is not understood")
  func authorization() {
    let usual = sent { _ in }
    #expect(usual["scope"] == "a b" && usual["resource"] == "https://r")
    let odd = sent {
      $0.quirks.scopeSeparator = ","
      $0.quirks.scopeParameter = "user_scope"
      $0.quirks.authorizeParameters = [ProviderQuirks.Parameter(name: "access_type", value: "offline")]
      $0.quirks.resourcesAt = [.token]
    }
    #expect(odd["user_scope"] == "a,b" && odd["scope"] == nil && odd["access_type"] == "offline" && odd["resource"] == nil)
    #expect(odd["state"] == "s" && odd["code_challenge_method"] == "S256")
  }

  @Test("resource is left out of token requests that would be refused for it")
  func resourceAtToken() {
    var provider = Provider.connectable()
    provider.resources = ["https://r"]
    let refresh = TokenRequest.Grant.refreshToken(Secret("t"))
    #expect(TokenRequest(provider: provider, grant: refresh, deadline: .zero).parameters.contains { $0.name == "resource" })
    provider.quirks.resourcesAt = [.authorization]
    #expect(!TokenRequest(provider: provider, grant: refresh, deadline: .zero).parameters.contains { $0.name == "resource" })
  }

  @Test("the token may stand inside a member, with a type of its own; without the quirk neither is taken")
  func answer() throws {
    let nested = ProviderResponse.json(
      200,
      #"{"ok":true,"access_token":"bot","authed_user":{"access_token":"user","token_type":"user","scope":"a,b","refresh_token":"r","expires_in":60}}"#)
    var quirks = ProviderQuirks()
    #expect(try TokenResponse(reading: nested).accessToken == Secret("bot"))
    quirks.tokenMember = "authed_user"
    #expect(throws: TokenEndpointFailure.refused(.unsupportedTokenType)) { try TokenResponse(reading: nested, quirks: quirks) }
    quirks.tokenType = "user"
    quirks.scopeSeparator = ","
    let token = try TokenResponse(reading: nested, quirks: quirks)
    #expect(token.accessToken == Secret("user") && token.refreshToken == Secret("r") && token.scopes == ["a", "b"])
    #expect(token.lifetime == .seconds(60))
    // Refreshes are answered without the member.
    let flat = ProviderResponse.json(200, #"{"access_token":"next","token_type":"user"}"#)
    #expect(try TokenResponse(reading: flat, quirks: quirks).accessToken == Secret("next"))
  }

  @Test("a provider's own word for invalid_grant is one; anybody else's is not")
  func invalidGrant() {
    let response = ProviderResponse.json(200, #"{"error":"bad_refresh_token"}"#)
    var quirks = ProviderQuirks()
    #expect(throws: TokenEndpointFailure.refused(.other)) { try TokenResponse(reading: response, quirks: quirks) }
    quirks.invalidGrantCodes = ["bad_refresh_token"]
    #expect(throws: TokenEndpointFailure.refused(.invalidGrant)) { try TokenResponse(reading: response, quirks: quirks) }
  }
}
