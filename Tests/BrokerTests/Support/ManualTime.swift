import Broker
import OAuthCore
import Synchronization

/// A clock that only the test moves, and the sleep that belongs to it.
final class ManualTime: WallClock, Sleeper {
  private struct State {
    var now = Timestamp(seconds: 1_700_000_000)
    var sleepers: [(until: Timestamp, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())

  var now: Timestamp { state.withLock { $0.now } }
  var sleeperCount: Int { state.withLock { $0.sleepers.count } }

  func sleep(for duration: Duration) async {
    await withCheckedContinuation { continuation in
      state.withLock { $0.sleepers.append(($0.now + duration, continuation)) }
    }
  }

  func advance(by duration: Duration) {
    let due = state.withLock { state in
      state.now = state.now + duration
      let now = state.now
      let due = state.sleepers.filter { $0.until <= now }
      state.sleepers.removeAll { $0.until <= now }
      return due
    }
    for sleeper in due { sleeper.continuation.resume() }
  }
}

/// Lets other tasks run until something has happened; the suite's time limit bounds it.
func eventually(_ condition: () -> Bool) async {
  while !condition() { await Task.yield() }
}
