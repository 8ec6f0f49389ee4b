import Glibc
import Synchronization

/// A fixed number of loops, each on a thread of its own.
public final class EventLoopGroup: Sendable {
  public let loops: [EventLoop]
  private let threads = Mutex<[pthread_t]>([])

  /// - Parameter count: number of loops, at least 1.
  public init(count: Int) throws {
    precondition(count > 0, "a group has at least one loop")
    loops = try (0..<count).map { try EventLoop(index: $0) }
  }

  public func start() {
    threads.withLock { threads in
      precondition(threads.isEmpty, "a group starts once")
      threads = loops.map { loop in startThread { loop.run() } }
    }
  }

  /// Asks every loop to stop and waits for their threads. Not to be called on a loop.
  public func stop() {
    for loop in loops { loop.stop() }
    let running = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in running { pthread_join(thread, nil) }
  }
}
