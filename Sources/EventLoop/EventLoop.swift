import CLinux
import Glibc
import Synchronization

/// One thread that waits for descriptors, timers and jobs, and is a Swift executor for the `async` code that starts on it.
///
/// Order of one turn: what other threads handed over, events, timers, jobs, end-of-turn actions, wait. Nothing that runs on a loop may block.
/// Everything except `execute`, `enqueue`, `task` and `stop` is called on the loop's own thread.
public final class EventLoop: TaskExecutor, @unchecked Sendable {
  // SAFETY: stored state is touched on the loop's thread only (`assertInLoop`), except `inbox`, which is a mutex.

  /// Work handed over by other threads.
  private struct Inbox {
    var jobs: [UnownedJob] = []
    var bodies: [@Sendable () -> Void] = []
    var isSignalled = false
    var isStopping = false
  }

  private struct Slot {
    var generation: UInt32 = 0
    var token: UInt32 = 0
    // SAFETY: retained at registration, released at the end of the turn of the deregistration: nobody is inside it then.
    var handler: Unmanaged<ReadinessHandler>?
  }

  public let index: Int
  private let epoll: Int32
  private let wakeUp: Int32
  private let inbox = Mutex(Inbox())

  @exclusivity(unchecked) private var slots: [Slot] = []
  private var freeSlots: [UInt32] = []
  /// Handlers that were deregistered in this turn, or else are kept until its end.
  private var departed: [Unmanaged<ReadinessHandler>] = []
  private var jobs: [UnownedJob] = []
  private var endOfTurn: [() -> Void] = []
  private var nextTurn: [() -> Void] = []
  private var timers = TimerQueue()

  /// Monotonic clock in nanoseconds, read once a turn.
  public var now: Int64 { turnBegan }
  // Read many times per event, written between events: the run-time check of exclusive access showed in the profile.
  @exclusivity(unchecked) private var turnBegan: Int64 = postern_monotonic_nanoseconds()

  /// The loop whose thread is running, if any.
  public static var current: EventLoop? { currentLoop }

  public init(index: Int = 0) throws {
    self.index = index
    epoll = postern_epoll_create()
    guard epoll >= 0 else { throw SystemCallError("epoll_create1") }
    wakeUp = postern_eventfd()
    guard wakeUp >= 0 else { throw SystemCallError("eventfd") }
    // Data of all ones is the wake-up descriptor: no slot has that number.
    guard postern_epoll_add(epoll, wakeUp, Readiness.readable.rawValue, .max) == 0 else {
      throw SystemCallError("epoll_ctl")
    }
  }

  deinit {
    for slot in slots { slot.handler?.release() }
    for handler in departed { handler.release() }
    close(wakeUp)
    close(epoll)
  }

  // MARK: Work from anywhere

  public var inLoop: Bool { currentLoop === self }

  public func assertInLoop() { assert(inLoop, "loop-confined state touched from another thread") }

  /// Runs `body` on the loop's thread, after what was handed over before it.
  public func execute(_ body: @escaping @Sendable () -> Void) {
    signalIfNeeded { $0.bodies.append(body) }
  }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if inLoop {
      jobs.append(job)
    } else {
      signalIfNeeded { $0.jobs.append(job) }
    }
  }

  /// Starts `async` work whose every step runs on this loop.
  @discardableResult
  public func task<Success: Sendable>(
    _ operation: @escaping @Sendable () async -> Success
  ) -> Task<Success, Never> {
    Task(executorPreference: self, operation: operation)
  }

  /// Ends `run` after the current turn. May be called from any thread.
  public func stop() { signalIfNeeded { $0.isStopping = true } }

  private func signalIfNeeded(_ change: (inout Inbox) -> Void) {
    let mustSignal = inbox.withLock { inbox in
      change(&inbox)
      defer { inbox.isSignalled = true }
      return !inbox.isSignalled
    }
    guard mustSignal else { return }
    var one: UInt64 = 1
    _ = write(wakeUp, &one, 8)
  }

  // MARK: Descriptors

  /// Watches `descriptor`, which stays the caller's to close, after `deregister`.
  public func register(
    _ descriptor: Int32, for interest: Readiness, handler: ReadinessHandler, token: UInt32 = 0
  ) throws(SystemCallError) -> Registration {
    assertInLoop()
    let slot: UInt32
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = UInt32(slots.count)
      slots.append(Slot())
    }
    slots[Int(slot)].handler = .passRetained(handler)
    slots[Int(slot)].token = token
    let registration = Registration(slot: slot, generation: slots[Int(slot)].generation, descriptor: descriptor)
    guard postern_epoll_add(epoll, descriptor, interest.rawValue, registration.epollData) == 0 else {
      let error = SystemCallError("epoll_ctl")
      release(registration)
      throw error
    }
    return registration
  }

  public func update(_ registration: Registration, interest: Readiness) {
    assertInLoop()
    guard slots[Int(registration.slot)].generation == registration.generation else { return }
    _ = postern_epoll_modify(epoll, registration.descriptor, interest.rawValue, registration.epollData)
  }

  /// Stops watching. Events of this registration that are already in hand are dropped.
  public func deregister(_ registration: Registration) {
    assertInLoop()
    guard slots[Int(registration.slot)].generation == registration.generation else { return }
    _ = epoll_ctl(epoll, Int32(EPOLL_CTL_DEL), registration.descriptor, nil)
    release(registration)
  }

  private func release(_ registration: Registration) {
    if let handler = slots[Int(registration.slot)].handler { departed.append(handler) }
    slots[Int(registration.slot)].handler = nil
    slots[Int(registration.slot)].generation &+= 1
    freeSlots.append(registration.slot)
  }

  // MARK: Time

  /// Runs `body` once, not before `delay` has passed; at the next turn when `delay` is not positive.
  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> TimerToken {
    assertInLoop()
    let (deadline, isNever) = postern_monotonic_nanoseconds().addingReportingOverflow(max(0, delay.nanoseconds))
    return timers.insert(deadline: isNever ? .max : deadline, body)
  }

  public func cancel(_ timer: TimerToken) {
    assertInLoop()
    timers.cancel(timer)
  }

  /// Suspends a task of this loop.
  public func sleep(for delay: Duration) async {
    await withUnsafeContinuation { continuation in
      schedule(after: delay) { continuation.resume() }
    }
  }

  /// Runs `body` just before the loop next waits: the place to write out what a whole turn has gathered.
  public func atEndOfTurn(_ body: @escaping () -> Void) {
    assertInLoop()
    endOfTurn.append(body)
  }

  /// Runs `body` in the next turn, after its events: the place to go on with work that must not starve the others.
  public func inNextTurn(_ body: @escaping () -> Void) {
    assertInLoop()
    nextTurn.append(body)
  }

  /// Keeps what others may still refer to without counting, as the loop does with handlers that it no longer watches.
  public func keepUntilEndOfTurn(_ handler: ReadinessHandler) {
    assertInLoop()
    departed.append(.passRetained(handler))
  }

  // MARK: The turn

  /// Runs the loop on the calling thread until `stop`.
  public func run() {
    precondition(currentLoop == nil, "a thread runs one loop")
    currentLoop = self
    defer { currentLoop = nil }
    let capacity = 512
    withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) { events in
      while true {
        let count = epoll_wait(epoll, events.baseAddress, Int32(capacity), waitMilliseconds())
        turnBegan = postern_monotonic_nanoseconds()
        // What other threads handed over comes first: a revocation must not be overtaken by the request after it.
        let isStopping = wasWoken(events.baseAddress, count) && drainInbox()
        for position in 0..<max(0, Int(count)) {
          // SAFETY: the kernel filled `count` events of the buffer above.
          let event = events.baseAddress.unsafelyUnwrapped + position
          let data = postern_epoll_data(event)
          if data != .max { dispatch(data, Readiness(rawValue: event.pointee.events)) }
        }
        while let body = timers.popDue(at: now) { body() }
        runNextTurn()
        runJobs()
        runEndOfTurn()
        if isStopping { return }
      }
    }
  }

  private func wasWoken(_ events: UnsafePointer<epoll_event>?, _ count: Int32) -> Bool {
    for position in 0..<max(0, Int(count)) {
      // SAFETY: the kernel filled `count` events of the caller's buffer.
      if postern_epoll_data(events.unsafelyUnwrapped + position) == .max { return true }
    }
    return false
  }

  private func dispatch(_ data: UInt64, _ readiness: Readiness) {
    let slot = slots[Int(data & 0xffff_ffff)]
    guard slot.generation == UInt32(data >> 32), let handler = slot.handler else { return }
    handler._withUnsafeGuaranteedRef { $0.ready(readiness, token: slot.token) }
  }

  /// - Returns: whether the loop was asked to stop.
  private func drainInbox() -> Bool {
    var count: UInt64 = 0
    _ = read(wakeUp, &count, 8)
    let taken = inbox.withLock { inbox in
      defer {
        inbox.jobs.removeAll(keepingCapacity: true)
        inbox.bodies = []
        inbox.isSignalled = false
      }
      return inbox
    }
    jobs.append(contentsOf: taken.jobs)
    for body in taken.bodies { body() }
    return taken.isStopping
  }

  private func runJobs() {
    // Jobs may enqueue jobs; those that appear while we run wait for the next turn, so that descriptors are not starved.
    guard !jobs.isEmpty else { return }
    let batch = jobs
    jobs = []
    jobs.reserveCapacity(batch.count)
    for job in batch { job.runSynchronously(on: asUnownedTaskExecutor()) }
  }

  private func runNextTurn() {
    guard !nextTurn.isEmpty else { return }
    let batch = nextTurn
    nextTurn = []
    for body in batch { body() }
  }

  private func runEndOfTurn() {
    while !endOfTurn.isEmpty {
      let batch = endOfTurn
      endOfTurn = []
      for body in batch { body() }
    }
    while let handler = departed.popLast() { handler.release() }
  }

  private func waitMilliseconds() -> Int32 {
    guard jobs.isEmpty, nextTurn.isEmpty else { return 0 }
    guard let deadline = timers.nextDeadline else { return -1 }
    let nanoseconds = deadline - postern_monotonic_nanoseconds()
    return nanoseconds <= 0 ? 0 : Int32(clamping: (nanoseconds + 999_999) / 1_000_000)
  }
}

/// Swift has no thread-local storage of its own; the key lives as long as the process.
private let loopKey: pthread_key_t = {
  var key = pthread_key_t()
  precondition(pthread_key_create(&key, nil) == 0, "no thread-local storage left")
  return key
}()

private var currentLoop: EventLoop? {
  get {
    guard let pointer = pthread_getspecific(loopKey) else { return nil }
    return Unmanaged<EventLoop>.fromOpaque(pointer).takeUnretainedValue()
  }
  set {
    pthread_setspecific(loopKey, newValue.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) })
  }
}

extension Duration {
  /// Whole nanoseconds; saturates after 292 years.
  public var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isTooLongBySome) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isTooLong || isTooLongBySome ? (seconds > 0 ? .max : .min) : sum
  }
}
