import OAuthCore
import Synchronization

/// Everybody in this process who has to hear of changes: the feed and the revoking endpoints tell this one.
final class ChangeRelay: ChangeObserver {
  private let observers = Mutex<[any ChangeObserver]>([])

  func add(_ more: [any ChangeObserver]) { observers.withLock { $0 += more } }

  func apply(_ changes: [Change]) {
    for observer in observers.withLock({ $0 }) { observer.apply(changes) }
  }

  func forgetEverything() {
    for observer in observers.withLock({ $0 }) { observer.forgetEverything() }
  }
}
