import Glibc
import Synchronization

/// A few threads for what blocks or burns (scrypt, name resolution, files), so that loops never do.
public final class WorkerPool: Sendable {
  /// The queue was full: more work was offered than the machine can do.
  public struct Overloaded: Error, Sendable {}

  private struct Queue {
    var waiting: [@Sendable () -> Void] = []
    var idle = 0
    var threads = 0
  }

  private let queue = Mutex(Queue())
  private let available: CountingSemaphore
  private let threadCountMax: Int
  private let waitingCountMax: Int

  /// - Parameters:
  ///   - threads: threads at most; started on demand, then kept.
  ///   - waiting: work items that may wait; one more is refused.
  public init(threads: Int = 2, waiting: Int = 256) {
    threadCountMax = threads
    waitingCountMax = waiting
    available = CountingSemaphore()
  }

  /// Runs `body` on a pool thread and returns to the caller's executor with its result.
  public func run<Result: Sendable>(
    _ body: @escaping @Sendable () -> Result
  ) async throws(Overloaded) -> Result {
    let result: Result? = await withUnsafeContinuation { continuation in
      let accepted = queue.withLock { queue in
        guard queue.waiting.count < waitingCountMax else { return false }
        queue.waiting.append { continuation.resume(returning: body()) }
        if queue.idle < queue.waiting.count, queue.threads < threadCountMax {
          queue.threads += 1
          pthread_detach(startThread { [self] in serve() })
        }
        return true
      }
      if accepted { available.signal() } else { continuation.resume(returning: nil) }
    }
    guard let result else { throw Overloaded() }
    return result
  }

  private func serve() {
    while true {
      queue.withLock { $0.idle += 1 }
      available.wait()
      let body = queue.withLock { queue in
        queue.idle -= 1
        return queue.waiting.removeFirst()
      }
      body()
    }
  }
}
