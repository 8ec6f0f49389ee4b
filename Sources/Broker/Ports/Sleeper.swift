/// Lets a task wait. Passed in, so that tests own the time.
public protocol Sleeper: Sendable {
  func sleep(for duration: Duration) async
}
