/// How a route tells its upstream who asks: a short assertion that Postern signs.
public struct SignedAssertionRule: Sendable, Hashable {
  public static let usualFieldName = "X-Postern-Assertion"
  public static let usualLifetime = Duration.seconds(300)

  public var fieldName: String
  /// `aud`: what the upstream knows itself by.
  public var audience: String
  public var lifetime: Duration

  public init(audience: String, fieldName: String = usualFieldName, lifetime: Duration = usualLifetime) {
    self.audience = audience
    self.fieldName = fieldName
    self.lifetime = lifetime
  }
}
