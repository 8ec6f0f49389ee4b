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
  func wait() { while sem_wait(semaphore) != 0 {} }
}
