import Glibc

/// A POSIX semaphore, for threads that wait for each other.
final class Semaphore: @unchecked Sendable {
  // SAFETY: POSIX semaphores may be used from any thread; the address never changes.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  init() { sem_init(semaphore, 0, 0) }
  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }
  func signal() { sem_post(semaphore) }

  /// Gives up on a test that would never end.
  func wait() {
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_sec += 30
    while sem_timedwait(semaphore, &deadline) != 0 {
      precondition(errno == EINTR, "what the test waits for did not happen")
    }
  }
}

/// Waits for what another thread brings about.
func waitUntil(_ condition: () -> Bool) {
  for _ in 0..<10_000 {
    if condition() { return }
    usleep(1000)
  }
  preconditionFailure("what the test waits for did not happen")
}
