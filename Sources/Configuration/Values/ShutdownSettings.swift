/// How a process that is asked to stop takes leave.
public struct ShutdownSettings: Sendable, Hashable {
  /// How long it serves on as usual while it says that it is not ready, so that load balancers take it out first.
  public var delay: Duration = .seconds(5)
  /// For requests under way after that; then they are cut off.
  public var drain: Duration = .seconds(20)

  public init() {}
}
