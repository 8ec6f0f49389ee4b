import EventLoop
import Glibc

/// Turns process signals into values.
///
/// By handlers that write into a pipe, whichever thread the kernel picks: the threads of Swift's runtime exist before any
/// command runs, so a mask set here would not be theirs. The first process of a container needs handlers anyway; the
/// kernel keeps signals without one from it.
struct SignalWaiter: Sendable {
  enum Request: Sendable {
    /// SIGTERM or SIGINT.
    case stop
    /// SIGHUP.
    case reload
  }

  private static let watched = [SIGTERM, SIGINT, SIGHUP]
  private static let pipe = SignalPipe()

  init() {
    signal(SIGPIPE, SIG_IGN)
    _ = Self.pipe  // made before a handler needs it
    for number in Self.watched { signal(number) { Self.pipe.tell($0) } }
  }

  /// The requests, as they come, until the consumer stops listening.
  func requests() -> AsyncStream<Request> {
    AsyncStream { continuation in
      pthread_detach(startThread { Self.wait(continuation) })
    }
  }

  private static func wait(_ continuation: AsyncStream<Request>.Continuation) {
    while true {
      let result = continuation.yield(pipe.next() == SIGHUP ? .reload : .stop)
      if case .terminated = result { return }
    }
  }
}

/// Carries signal numbers, one byte each, from handlers to a thread that waits.
private struct SignalPipe: Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    precondition(Glibc.pipe(&ends) == 0, "no pipe for signals")
    (readEnd, writeEnd) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK)  // a full pipe says enough already; a handler must not wait
  }

  /// Called by signal handlers: nothing but one system call, and `errno` as it was. Source: signal-safety(7).
  func tell(_ number: Int32) {
    let interrupted = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(writeEnd, &byte, 1)
    errno = interrupted
  }

  /// Waits for the next signal.
  func next() -> Int32 {
    var byte: UInt8 = 0
    while read(readEnd, &byte, 1) != 1 {}
    return Int32(byte)
  }
}
