import OAuthCore
import Synchronization

/// A clock that stands still until it is told to move.
public final class ManualClock: WallClock {
  private let moment: Mutex<Timestamp>

  public init(_ start: Timestamp = Timestamp(seconds: 1_750_000_000)) { moment = Mutex(start) }

  public var now: Timestamp { moment.withLock { $0 } }

  public func advance(by duration: Duration) { moment.withLock { $0 = $0 + duration } }
}
