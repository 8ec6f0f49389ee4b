import Grants
import OAuthCore
import PosternTesting

extension Fixture {
  /// A server with the built-in grants.
  static func server(
    clients: [Client] = [web, other, native], accounts: [Account] = [],
    policy: TokenPolicy = TokenPolicy(issuer: ServerUnderTest.issuer), proofKeyRule: ProofKeyRule = .everyClient,
    limiter: FailureLimiter = FailureLimiter(), adding grants: [any GrantHandler] = []
  ) async throws -> ServerUnderTest {
    try await ServerUnderTest(
      clients: clients, accounts: accounts, policy: policy, proofKeyRule: proofKeyRule, limiter: limiter
    ) { parts in
      [
        AuthorizationCodeGrant(codes: parts.codes), ClientCredentialsGrant(), RefreshTokenGrant(handles: parts.handles),
      ] + grants
    }
  }
}
