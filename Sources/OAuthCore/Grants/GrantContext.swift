/// What a handler may know while it plans.
public struct GrantContext: Sendable {
  /// Authenticated, enabled, and allowed to use the grant.
  public let client: Client
  public let now: Timestamp
  /// The server's issuer identifier. Source: RFC 8414 §2.
  public let issuer: String

  public init(client: Client, now: Timestamp, issuer: String) {
    self.client = client
    self.now = now
    self.issuer = issuer
  }
}
