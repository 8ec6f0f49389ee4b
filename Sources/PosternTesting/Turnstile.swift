import Synchronization

/// Where asynchronous calls pass, or wait for as long as a test holds them.
public final class Turnstile: Sendable {
  /// Who waits; nil: nobody has to.
  private let held = Mutex<[CheckedContinuation<Void, Never>]?>(nil)

  public init() {}

  /// Calls from now on wait for `release`.
  public func hold() { held.withLock { $0 = $0 ?? [] } }

  public func release() {
    let waiting = held.withLock { held in
      defer { held = nil }
      return held ?? []
    }
    for continuation in waiting { continuation.resume() }
  }

  public func pass() async {
    await withCheckedContinuation { continuation in
      let mustWait = held.withLock { held in
        held?.append(continuation)
        return held != nil
      }
      if !mustWait { continuation.resume() }
    }
  }
}
