import Glibc

/// Starts a thread that runs `body` and ends. The caller joins or detaches it.
@discardableResult
public func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  var thread = pthread_t()
  let context = Unmanaged.passRetained(ThreadBody(body)).toOpaque()
  let status = pthread_create(&thread, nil, { context in
    // SAFETY: balances the `passRetained` above; the thread is the only one to take it.
    Unmanaged<ThreadBody>.fromOpaque(context!).takeRetainedValue().run()
    return nil
  }, context)
  precondition(status == 0, "no thread could be started")
  return thread
}

private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// A POSIX semaphore with a stable address.
public final class CountingSemaphore: @unchecked Sendable {
  // SAFETY: POSIX semaphores may be used from any thread; the address never changes.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  public init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  public func signal() { sem_post(semaphore) }

  public func wait() { while sem_wait(semaphore) != 0 {} }
}
