import OAuthCore

/// Formats and lifetimes of what the token endpoint issues.
public struct TokenSettings: Sendable, Hashable {
  public var accessFormat: AccessTokenFormat = .opaque
  public var accessLifetime: Duration = .seconds(600)
  /// At most a minute: a code is redeemed at once or not at all. Source: RFC 6749 §4.1.2.
  public var codeLifetime: Duration = .seconds(60)
  /// A refresh token that is not used for this long ends. Source: RFC 9700 §4.14.2.
  public var refreshIdle: Duration = .seconds(14 * 86_400)
  /// Whatever its use, a family ends after this.
  public var refreshAbsolute: Duration = .seconds(90 * 86_400)
  /// How long a superseded refresh token still yields its successor.
  public var refreshGrace: Duration = .seconds(30)

  public init() {}
}

/// A scope and what the consent page says it means.
public struct ScopeDescription: Sendable, Hashable {
  public let scope: Scope
  public let text: String

  public init(scope: Scope, text: String) {
    self.scope = scope
    self.text = text
  }
}
