import Broker
import EventLoop
import OAuthCore

/// To whom the one connection belongs that a route names, as one loop knows it. A connection never changes hands.
final class ConnectionOwner: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`, or is inside a request's decision.

  typealias Waiter = (_ failure: BrokerFailure?) -> Void

  /// How long one that is not there is not looked for again.
  private static let pause = Duration.seconds(1)

  private let provider: ProviderID
  private let id: Locator
  private let source: any ConnectionSource
  private let loop: EventLoop
  private var owner: Subject?
  private var isAbsentUntil = Timestamp(microseconds: .min)
  private var isAsking = false
  private var waiters: [Waiter] = []

  init(_ provider: ProviderID, id: Locator, source: any ConnectionSource, loop: EventLoop) {
    self.provider = provider
    self.id = id
    self.source = source
    self.loop = loop
  }

  /// nil: it has to be asked for first.
  func isOwner(_ subject: Subject, at now: Timestamp) -> Bool? {
    if let owner { return owner == subject }
    return now < isAbsentUntil ? false : nil
  }

  /// - Parameter now: read when the answer is there.
  func wait(at now: @escaping @Sendable () -> Timestamp, _ waiter: @escaping Waiter) {
    loop.assertInLoop()
    waiters.append(waiter)
    guard !isAsking else { return }
    isAsking = true
    loop.task { [self] in
      do throws(BrokerFailure) {
        owner = try await source.owner(of: id, at: provider)
        if owner == nil { isAbsentUntil = now() + Self.pause }
        finish(nil)
      } catch {
        finish(error)
      }
    }
  }

  private func finish(_ failure: BrokerFailure?) {
    loop.assertInLoop()
    isAsking = false
    let waiting = waiters
    waiters = []
    for waiter in waiting { waiter(failure) }
  }
}
