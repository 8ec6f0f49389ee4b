import CLinux
import Glibc
import Synchronization

/// A fixed number of loops, each on a thread of its own.
public final class EventLoopGroup: Sendable {
  public let loops: [EventLoop]
  private let separatesDescriptors: Bool
  private let threads = Mutex<[pthread_t]>([])

  /// - Parameters:
  ///   - count: number of loops, at least 1.
  ///   - separatesDescriptors: each loop's thread has a descriptor table of its own: what it opens is its own and unknown
  ///     to other threads, except those that it starts. The kernel then looks descriptors up without counting references,
  ///     which is a few per cent of a proxied request. For the one group of a process: these loops cannot wake loops that
  ///     are made after `start`.
  public init(count: Int, separatesDescriptors: Bool = false) throws {
    precondition(count > 0, "a group has at least one loop")
    self.separatesDescriptors = separatesDescriptors
    loops = try (0..<count).map { try EventLoop(index: $0) }
  }

  public func start() {
    threads.withLock { threads in
      precondition(threads.isEmpty, "a group starts once")
      threads = loops.map { loop in
        startThread { [separatesDescriptors] in
          // Where the kernel refuses, the table stays shared, which is only slower.
          if separatesDescriptors { _ = postern_separate_descriptors() }
          loop.run()
        }
      }
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
