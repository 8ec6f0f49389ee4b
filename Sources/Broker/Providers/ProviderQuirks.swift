/// Where a provider differs from what the standards say. Data, so that no provider needs code of its own.
public struct ProviderQuirks: Sendable, Equatable {
  /// Between scopes in the request. RFC 6749 §3.3 says a space.
  public var scopeSeparator = " "
  /// The parameter that carries the scopes to the authorization endpoint. RFC 6749 §4.1.1 says `scope`.
  public var scopeParameter = "scope"
  /// Sent to the authorization endpoint beside the standard's parameters, which they cannot replace.
  public var authorizeParameters: [Parameter] = []
  /// Where `resource` is sent. RFC 8707 §2 says everywhere.
  public var resourcesAt: Set<RequestKind> = [.authorization, .token]
  /// The member of the answer that holds the members of RFC 6749 §5.1; nil, or absent there: the answer itself.
  public var tokenMember: String?
  /// What `token_type` may say instead of `Bearer`.
  public var tokenType: String?
  /// Error codes of the token endpoint that mean `invalid_grant`.
  public var invalidGrantCodes: Set<String> = []

  public init() {}

  public struct Parameter: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  public enum RequestKind: String, Sendable, CaseIterable {
    case authorization, token
  }

  /// What a flow is made of: nothing that is configured may stand beside or instead of it.
  public static let ownParameters: Set<String> = [
    "response_type", "client_id", "client_secret", "redirect_uri", "state", "code_challenge", "code_challenge_method", "nonce",
    "scope", "resource", "audience", "request", "request_uri", "response_mode",
  ]
}
