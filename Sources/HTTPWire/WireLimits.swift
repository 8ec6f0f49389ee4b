/// Sizes of one head; whatever is larger is refused.
public struct WireLimits: Sendable {
  /// Bytes of the request line or status line, with its CRLF.
  public var startLineBytes = 8 << 10
  /// Bytes of all field lines together.
  public var fieldBytes = 32 << 10
  /// Field lines.
  public var fieldCount = 100

  public init() {}
}
