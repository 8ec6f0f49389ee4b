/// Runs what burns processor time (scrypt) away from event loops, on a bounded number of threads.
public protocol BlockingWork: Sendable {
  /// Runs `body` elsewhere and returns to the caller's executor with its result.
  ///
  /// - Throws: `overloaded` when too much work waits already; `body` did not run.
  func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async throws(StoreFailure) -> Result
}
