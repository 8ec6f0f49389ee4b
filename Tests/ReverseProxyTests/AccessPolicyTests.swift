import OAuthCore
import ReverseProxy
import Testing

@Suite("Access policy")
struct AccessPolicyTests {
  static let now = Timestamp(seconds: 1_700_000_000)
  static let policy = AccessPolicy(requiredScopes: ["photos.read", "albums.list"], audience: "https://gw.example.com/crm")

  static func decide(
    _ policy: AccessPolicy = policy, scope: ScopeSet, audience: [String], expiresIn: Duration = .seconds(60)
  ) -> AccessDecision {
    let authorization = Authorization(subject: Subject("alice"), client: ClientID("app"), scope: scope, audience: audience)
    return policy.decide(authorization, expiresAt: now + expiresIn, at: now)
  }

  @Test("RFC 6750 §3.1: a token without every required scope is insufficient_scope", arguments: [
    [], ["photos.read"], ["albums.list", "photos"], ["photos.read.all", "albums.list"], ["Photos.read", "albums.list"],
  ] as [[String]])
  func refusesScope(scopes: [String]) {
    let scope = ScopeSet(scopes.compactMap { Scope($0) })
    #expect(Self.decide(scope: scope, audience: ["https://gw.example.com/crm"]) == .deny(.insufficientScope))
  }

  @Test("RFC 9068 §4: a token for another audience is invalid", arguments: [
    [], ["https://gw.example.com"], ["https://gw.example.com/crm/"], ["https://gw.example.com/CRM"],
  ] as [[String]])
  func refusesAudience(audience: [String]) {
    #expect(Self.decide(scope: ["photos.read", "albums.list"], audience: audience) == .deny(.invalidToken))
  }

  @Test("A token is invalid from the moment it expires", arguments: [Duration.zero, .seconds(-1), .microseconds(-1)])
  func refusesExpired(expiresIn: Duration) {
    let decision = Self.decide(
      scope: ["photos.read", "albums.list"], audience: ["https://gw.example.com/crm"], expiresIn: expiresIn)
    #expect(decision == .deny(.invalidToken))
  }

  @Test("All scopes, the audience among others and a moment left: allowed")
  func allows() {
    let decision = Self.decide(
      scope: ["other", "albums.list", "photos.read"], audience: ["x:y", "https://gw.example.com/crm"],
      expiresIn: .microseconds(1))
    #expect(decision == .allow)
    #expect(Self.decide(AccessPolicy(), scope: [], audience: []) == .allow)
  }

  @Test("RFC 6750 §3: each denial has its status and its challenge")
  func challenges() {
    let expected: [(AccessDenial, Int, String)] = [
      (.missingToken, 401, "Bearer realm=\"postern\", scope=\"photos.read albums.list\""),
      (.invalidRequest, 400,
       "Bearer realm=\"postern\", error=\"invalid_request\", error_description=\"The Authorization field holds no single, well-formed bearer token.\""),
      (.invalidToken, 401,
       "Bearer realm=\"postern\", error=\"invalid_token\", error_description=\"The access token is unknown, expired, revoked, or meant for another audience.\", scope=\"photos.read albums.list\""),
      (.insufficientScope, 403,
       "Bearer realm=\"postern\", error=\"insufficient_scope\", error_description=\"The access token lacks a scope that this route needs.\", scope=\"photos.read albums.list\""),
    ]
    for (denial, status, challenge) in expected {
      #expect(denial.status == status)
      #expect(denial.challenge(for: Self.policy) == challenge)
    }
  }

  @Test("RFC 6750 §3: error_description has neither quotes nor backslashes", arguments: AccessDenial.allCases)
  func describesInLegalCharacters(denial: AccessDenial) {
    #expect(denial.sentence.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c })
  }
}

@Suite("Bearer token")
struct BearerTests {
  @Test("RFC 6750 §2.1: credentials that are not exactly one b64token are malformed", arguments: [
    "Bearer", "Bearer ", "Bearer  ", "Bearer\ttoken", "Bearer,token", "Bearer a b", "Bearer a,b", "Bearer a, Bearer b",
    "Bearer =", "Bearer a=b", "Bearer a==b", "Bearer \"a\"", "Bearer a;b", "Bearer caf\u{e9}", "Bearer a\u{0}",
    "Bearer a\r\nX: y",
    "Bearer a ", "Bearer token=abc, x=y", "Bearer " + String(repeating: "a", count: Bearer.tokenBytesMax + 1),
  ])
  func refuses(value: String) {
    let bytes = Array(value.utf8)
    switch Bearer(authorization: bytes.span) {
    case .malformed: break
    case .presented(let range):
      let isToken = Bearer.isToken(bytes.span.extracting(range))
      #expect(!isToken)
    case .absent: Issue.record("another scheme in \(value)")
    }
  }

  @Test("Another scheme is no bearer token", arguments: ["", "Basic YTpi", "Bear x", "DPoP abc", "BearerX abc", "bearer-token abc", "Beare"])
  func ignoresOtherSchemes(value: String) {
    let bearer = Bearer(authorization: Array(value.utf8).span)
    #expect(bearer == .absent)
  }

  @Test("RFC 9110 §11.1: the scheme compares without case", arguments: [
    ("Bearer abc", "abc"), ("bearer abc", "abc"), ("BEARER abc", "abc"), ("bEaReR  abc", "abc"),
    ("Bearer aZ09-._~+/==", "aZ09-._~+/=="), ("Bearer pat_x", "pat_x"),
  ])
  func finds(value: String, token: String) throws {
    let bytes = Array(value.utf8)
    guard case .presented(let range) = Bearer(authorization: bytes.span) else {
      Issue.record("no token in \(value)")
      return
    }
    let isToken = Bearer.isToken(bytes.span.extracting(range))
    #expect(isToken)
    #expect(String(decoding: bytes[range], as: UTF8.self) == token)
  }
}
