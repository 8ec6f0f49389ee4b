import Synchronization

/// Whether the store is worth asking about JWTs that could do without it, while changes may not reach this process.
///
/// One question finds out, so that thousands of tokens do not wait together for a database that is down.
final class StoreReach: Sendable {
  private enum State {
    /// Nobody has asked since changes stopped coming. Next: `asking`.
    case unknown
    /// The first question is under way. Next: `answers`, `silent`.
    case asking
    /// Next: `silent`, `unknown`.
    case answers
    /// Next: `asking`, `unknown`.
    case silent(until: Timestamp)
  }

  /// Between questions that find out whether the store is back.
  private static let pause = Duration.seconds(1)

  private let state = Mutex(State.unknown)

  /// Whether to ask; whoever does tells `note`.
  func mayAsk(at now: Timestamp) -> Bool {
    state.withLock { state in
      switch state {
      case .answers: return true
      case .asking: return false
      case .silent(let until) where now < until: return false
      case .unknown, .silent:
        state = .asking
        return true
      }
    }
  }

  func note(hasAnswered: Bool, at now: Timestamp) {
    state.withLock { $0 = hasAnswered ? .answers : .silent(until: now + Self.pause) }
  }

  /// Changes come again.
  func reset() {
    state.withLock { state in
      if case .asking = state { return }
      state = .unknown
    }
  }
}
