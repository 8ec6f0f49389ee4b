/// One grant type: reads its own parameters and decides what may be issued. It never acts.
///
/// The core has authenticated the client and checked that it may use the grant before `parse` is called. What a handler
/// returns is executed by the core as one statement, so every grant, built in or plugged in, inherits one-time use,
/// scope limits, audience checks, `no-store` and audit, and cannot forget one.
public protocol GrantHandler: Sendable {
  associatedtype Request: Sendable

  var descriptor: GrantDescriptor { get }

  /// Reads the declared parameters. Pure; called before any I/O.
  func parse(_ form: GrantForm) throws(OAuthError) -> Request

  /// Decides. May look things up; must not change anything.
  func plan(_ request: Request, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan
}

/// What a grant type declares about itself; the core enforces it and fills the metadata (RFC 8414 §2) from it.
public struct GrantDescriptor: Sendable {
  public var grantType: GrantType
  public var parameters: [GrantParameter]
  public var clientAuthentication: ClientAuthenticationRule
  /// Whether the plan may ask for a refresh token.
  public var mayRefresh: Bool

  public init(
    grantType: GrantType, parameters: [GrantParameter],
    clientAuthentication: ClientAuthenticationRule = .anyRegistered, mayRefresh: Bool = false
  ) {
    self.grantType = grantType
    self.parameters = parameters
    self.clientAuthentication = clientAuthentication
    self.mayRefresh = mayRefresh
  }
}

public struct GrantParameter: Sendable {
  public enum Presence: Sendable { case required, optional, repeatable }

  public var name: String
  public var presence: Presence
  /// Longer values are refused; UTF-8 bytes after decoding.
  public var byteCountMax: Int
  /// Never logged.
  public var isSensitive: Bool

  public init(_ name: String, _ presence: Presence, byteCountMax: Int = 2048, isSensitive: Bool = false) {
    self.name = name
    self.presence = presence
    self.byteCountMax = byteCountMax
    self.isSensitive = isSensitive
  }
}

public enum ClientAuthenticationRule: Sendable {
  /// The client proves who it is. Source: RFC 6749 §4.4.
  case confidentialOnly
  /// Public clients name themselves with `client_id`.
  case anyRegistered
}

/// The decoded form, cut down to what the descriptor declares; presence and length are checked already.
public struct GrantForm: Sendable {
  private let values: [String: [String]]

  public init(_ values: [String: [String]]) { self.values = values }

  /// The value of a parameter that occurs at most once.
  public subscript(name: String) -> String? { values[name]?.first }

  /// Every value of a repeatable parameter, in order.
  public func all(_ name: String) -> [String] { values[name] ?? [] }
}
