/// `client_id`. Source: RFC 6749 §2.2.
public struct ClientID: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
  public init(_ rawValue: String) { self.rawValue = rawValue }
  public var description: String { rawValue }
}

/// Whom a token speaks for: an account, or the client itself. The `sub` of RFC 7519 §4.1.2.
public struct Subject: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
  public init(_ rawValue: String) { self.rawValue = rawValue }
  public var description: String { rawValue }
}

/// `grant_type`: a short name of RFC 6749, or an absolute URI. Source: RFC 6749 §4.5.
public struct GrantType: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
  public init(_ rawValue: String) { self.rawValue = rawValue }
  public var description: String { rawValue }

  public static let authorizationCode = GrantType("authorization_code")
  public static let clientCredentials = GrantType("client_credentials")
  public static let refreshToken = GrantType("refresh_token")
  /// Source: RFC 8693 §2.1.
  public static let tokenExchange = GrantType("urn:ietf:params:oauth:grant-type:token-exchange")
  /// Source: RFC 7523 §2.1.
  public static let jwtBearer = GrantType("urn:ietf:params:oauth:grant-type:jwt-bearer")
}
