import Grants
import OAuthCore
import PosternTesting
import Testing

@Suite struct ClientCredentialsGrantTests {
  private func plan(_ values: [String: [String]]) async throws(OAuthError) -> IssuancePlan {
    let grant = ClientCredentialsGrant()
    let context = GrantContext(client: Fixture.web, now: ManualClock().now, issuer: ServerUnderTest.issuer)
    return try await grant.plan(grant.parse(GrantForm(values)), context)
  }

  @Test("RFC 6749 §4.4: confidential clients only")
  func confidentialOnly() {
    guard case .confidentialOnly = ClientCredentialsGrant().descriptor.clientAuthentication else {
      Issue.record("open to public clients")
      return
    }
  }

  @Test("RFC 6749 §4.4.3: no refresh token, asked for or allowed")
  func noRefreshToken() async throws {
    #expect(!ClientCredentialsGrant().descriptor.mayRefresh)
    let plan = try await plan([:])
    #expect(!plan.wantsRefreshToken)
    #expect(plan.family == nil)
    #expect(plan.consumes.isEmpty)
  }

  @Test("RFC 9068 §2.2: the subject is the client itself")
  func subject() async throws {
    guard
      case .decided(let authorization) = try await plan([
        "scope": ["read"], "resource": ["https://a.example", "https://a.example"],
      ]).authority
    else {
      Issue.record("not decided")
      return
    }
    #expect(authorization.subject == Subject("web"))
    #expect(authorization.scope == ["read"])
    #expect(authorization.audience == ["https://a.example"])
    #expect(authorization.authenticatedAt == nil)
  }

  @Test(
    "RFC 6749 §3.3, RFC 8707 §2: a malformed scope or resource is refused",
    arguments: [
      ["scope": [" read"]], ["scope": ["a\\b"]], ["resource": ["x"]], ["resource": ["https://a.example/#f"]],
      ["resource": ["1a:b"]],
      ["resource": ["https://a.example", "https:// b"]],
    ])
  func malformed(_ values: [String: [String]]) async throws {
    await #expect(throws: OAuthError.self) { try await plan(values) }
  }
}
