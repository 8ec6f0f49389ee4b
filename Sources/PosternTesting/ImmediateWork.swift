import OAuthCore

/// Runs blocking work at once, on the caller's thread.
public struct ImmediateWork: BlockingWork {
  public init() {}

  public func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async throws(StoreFailure) -> Result {
    body()
  }
}
