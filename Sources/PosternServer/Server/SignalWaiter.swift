import EventLoop
import Glibc

/// Turns process signals into values. Set up before any thread is started, so that all of them inherit the mask and
/// only the waiting thread ever sees a signal.
struct SignalWaiter: Sendable {
  enum Request: Sendable {
    /// SIGTERM or SIGINT.
    case stop
    /// SIGHUP.
    case reload
  }

  private static let watched = [SIGTERM, SIGINT, SIGHUP]

  init() {
    signal(SIGPIPE, SIG_IGN)
    var set = Self.signalSet()
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// The requests, as they come, until the consumer stops listening.
  func requests() -> AsyncStream<Request> {
    AsyncStream { continuation in
      pthread_detach(startThread { Self.wait(continuation) })
    }
  }

  private static func signalSet() -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in watched { sigaddset(&set, signal) }
    return set
  }

  private static func wait(_ continuation: AsyncStream<Request>.Continuation) {
    var set = signalSet()
    while true {
      var number: Int32 = 0
      guard sigwait(&set, &number) == 0 else { continue }
      let result = continuation.yield(number == SIGHUP ? .reload : .stop)
      if case .terminated = result { return }
    }
  }
}
