/// Whose tokens a route takes: one entry of its list.
public enum TokenAcceptance: Sendable, Hashable {
  /// Postern's own access tokens.
  case own
}
