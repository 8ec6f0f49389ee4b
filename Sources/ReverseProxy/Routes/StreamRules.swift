/// What a route lets last beyond one answer, and what ends it.
public struct StreamRules: Sendable, Hashable {
  /// Whether a request may become a WebSocket. When not, its `Upgrade` is not forwarded.
  public var allowsWebSocket: Bool
  /// Whether an exchange under way ends when the token or connection it rests on is revoked.
  public var endsOnRevocation: Bool
  /// How much longer than its token an exchange without a declared end may last: a WebSocket, an event stream, any response
  /// without `Content-Length`. nil: until it ends by itself.
  public var expiryGrace: Duration?

  /// A client that renews its token in time has so long to open the next stream.
  public static let expiryGraceDefault: Duration = .seconds(30)

  public init(
    allowsWebSocket: Bool = false, endsOnRevocation: Bool = true, expiryGrace: Duration? = expiryGraceDefault
  ) {
    self.allowsWebSocket = allowsWebSocket
    self.endsOnRevocation = endsOnRevocation
    self.expiryGrace = expiryGrace
  }
}
